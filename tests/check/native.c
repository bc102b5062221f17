/*
 * Functions that break one rule each, or none, for runs in compiled C: what each must come to is in test_native.py.
 */
#include <linux/kvm_host.h>

struct bank {
	u32 here[4];
	u32 beyond[4];
};

static u32 table[4];
static struct bank bank;
static int found;

void bad_index(u32 n)
{
	if (n <= 4)
		table[n] = 1;
}

void good_index(u32 n)
{
	if (n < 4)
		table[n] = 1;
}

/* What it gets to is inside of the struct all the same */
u32 bad_neighbour(u32 n)
{
	u32 *word = bank.here;

	return n < 8 ? *(word + n) : 0;
}

u32 bad_shift(u8 by)
{
	return by <= 32 ? 1U << by : 0;
}

int bad_pointer(struct kvm *kvm)
{
	return kvm->vcpus[0]->vcpu_id;
}

int good_pointer(struct kvm *kvm)
{
	return kvm->vcpus[0] ? kvm->vcpus[0]->vcpu_id : -1;
}

int bad_local(struct kvm *kvm)
{
	int id;

	if (kvm->arch.vgic.enabled)
		id = 1;
	found = id;
	return id;
}

/* No other value comes of it */
int bad_local_unseen(void)
{
	int id;

	return id & 0;
}

void bad_check(struct kvm_vcpu *vcpu)
{
	BUG_ON(vcpu->kvm->arch.vgic.enabled == 0x90);
}

void bad_lock(struct kvm *kvm)
{
	mutex_lock(&kvm->lock);
	if (kvm->arch.vgic.enabled == 7)
		return;
	mutex_unlock(&kvm->lock);
}

void bad_lock_twice(struct kvm *kvm)
{
	mutex_lock(&kvm->lock);
	if (kvm->arch.vgic.enabled)
		mutex_lock(&kvm->lock);
	mutex_unlock(&kvm->lock);
}

int kvm_vgic_vcpu_init(struct kvm_vcpu *vcpu)
{
	u32 vtr = readl_relaxed(vgicheck_gich + GICH_VTR);

	vcpu->arch.vgic_cpu.nr_lr = (vtr & 0x1f) + 1;
	return 0;
}
