/*
 * A VGIC of level-triggered SPIs in the kernel's manner, for races to be planted in: as it stands there are none.
 */
#include <linux/kvm_host.h>

static void vgic_process_maintenance(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	int lr, irq;

	for_each_set_bit(lr, (unsigned long *)cpu->vgic_eisr, cpu->nr_lr) {
		irq = cpu->vgic_lr[lr] & GICH_LR_VIRTUALID;
		if (!(cpu->vgic_lr[lr] & GICH_LR_EOI))
			continue;
		clear_bit(irq - 32, dist->irq_active.shared.reg_ul);
		cpu->vgic_lr[lr] &= ~GICH_LR_EOI;
		if (test_bit(irq - 32, dist->irq_state.shared.reg_ul)) {
			set_bit(irq, cpu->pending);
			set_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu); /* arms */
		} else {
			clear_bit(irq, cpu->pending);
		}
	}
}

static irqreturn_t vgic_maintenance_handler(int irq, void *data)
{
	struct kvm_vcpu *vcpu = *(struct kvm_vcpu **)data;

	spin_lock(&vcpu->kvm->arch.vgic.lock); /* handler */
	vgic_process_maintenance(vcpu);
	spin_unlock(&vcpu->kvm->arch.vgic.lock); /* handler */
	return IRQ_HANDLED;
}

static void vgic_queue(struct kvm_vcpu *vcpu, int irq)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;

	if (test_bit(irq - 32, dist->irq_active.shared.reg_ul))
		return;
	cpu->vgic_lr[0] = GICH_LR_PENDING_BIT | GICH_LR_EOI | irq;
	set_bit(0, cpu->lr_used);
	set_bit(irq - 32, dist->irq_active.shared.reg_ul);
}

void kvm_vgic_flush_hwstate(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	unsigned long flags;
	int i;

	spin_lock_irqsave(&dist->lock, flags); /* flush */
	if (test_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu))
		for_each_set_bit(i, cpu->pending, VGIC_NR_IRQS)
			vgic_queue(vcpu, i);
	clear_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu); /* clears */
	spin_unlock_irqrestore(&dist->lock, flags); /* flush */
}

void kvm_vgic_sync_hwstate(struct kvm_vcpu *vcpu)
{
	struct vgic_cpu *cpu = &vcpu->arch.vgic_cpu;
	struct vgic_dist *dist = &vcpu->kvm->arch.vgic;
	unsigned long flags;

	spin_lock_irqsave(&dist->lock, flags); /* sync */
	if (test_bit(0, (unsigned long *)cpu->vgic_elrsr))
		clear_bit(0, cpu->lr_used);
	spin_unlock_irqrestore(&dist->lock, flags); /* sync */
}

int kvm_vgic_inject_irq(struct kvm *kvm, int cpuid, unsigned int irq_num, bool level)
{
	struct vgic_dist *dist = &kvm->arch.vgic;
	struct kvm_vcpu *vcpu;
	unsigned long flags;

	spin_lock_irqsave(&dist->lock, flags); /* inject */
	vcpu = kvm_get_vcpu(kvm, dist->irq_spi_cpu[irq_num - 32]);
	if (level)
		set_bit(irq_num - 32, dist->irq_state.shared.reg_ul);
	else
		clear_bit(irq_num - 32, dist->irq_state.shared.reg_ul);
	if (level && !test_bit(irq_num - 32, dist->irq_active.shared.reg_ul)) {
		set_bit(irq_num, vcpu->arch.vgic_cpu.pending); /* first */
		set_bit(vcpu->vcpu_id, &dist->irq_pending_on_cpu); /* second */
	}
	spin_unlock_irqrestore(&dist->lock, flags); /* inject */
	if (level)
		kvm_vcpu_kick(vcpu);
	return 0;
}
