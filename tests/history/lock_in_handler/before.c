/* vgic_maintenance_handler/lock-irq-safe refuted: the handler may interrupt the flush, which holds the lock */
#include <linux/interrupt.h>

static irqreturn_t vgic_maintenance_handler(int irq, void *data)
{
	struct kvm_vcpu *vcpu = *(struct kvm_vcpu **)data;

	if (!vcpu)
		return IRQ_HANDLED;
	spin_lock(&vcpu->kvm->arch.vgic.lock);
	if (vcpu->arch.vgic_cpu.vgic_misr & VGIC_MISR_U)
		vcpu->arch.vgic_cpu.vgic_hcr &= ~VGIC_HCR_UIE;
	spin_unlock(&vcpu->kvm->arch.vgic.lock);
	return IRQ_HANDLED;
}

void kvm_vgic_sync_to_cpu(struct kvm_vcpu *vcpu)
{
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;

	spin_lock(&dist->lock);
	clear_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu);
	spin_unlock(&dist->lock);
}

int kvm_vgic_hyp_init(void)
{
	return request_percpu_irq(25, vgic_maintenance_handler, "vgic", kvm_get_running_vcpus());
}
