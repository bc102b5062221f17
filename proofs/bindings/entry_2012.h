/*
 * Where the world stands when each bound function is called, and what is read off it afterwards.  A pointer that the
 * function may find or leave behind is chosen and reported as a number, so that a state is numbers only.
 */
struct vgicheck_world vgicheck_world;
struct device_node vgicheck_node;
u8 vgicheck_gich[0x1000];
struct kvm_vcpu *vgicheck_running_vcpu;
struct kvm vgicheck_kvm;
struct kvm_vcpu vgicheck_vcpu;

struct vgicheck_entry {
	int vcpu_loaded;	/* a vCPU is loaded on this CPU */
	int live_is_other;	/* the registers of this CPU hold another vCPU's state */
	int vm_has_vgic;	/* the VM's vctrl_base is set */
	int host_has_vgic;	/* kvm_vgic_hyp_init() has mapped GICH */
	int host_has_node;	/* and found the device node */
	int result;
} vgicheck_entry;

#ifdef VGICHECK_FUNCTION_vgic_maintenance_handler
void vgicheck_run_vgic_maintenance_handler(void)
{
	vgicheck_vcpu.kvm = &vgicheck_kvm;
	vgicheck_kvm.arch.vgic.vctrl_base = vgicheck_gich;
	vgicheck_running_vcpu = vgicheck_entry.vcpu_loaded ? &vgicheck_vcpu : NULL;
	vgic_vctrl_base = vgicheck_gich;
#ifdef VGICHECK_SOURCE_vgic_live_vcpu
	vgic_live_vcpu = vgicheck_entry.live_is_other ? NULL : &vgicheck_vcpu;
#endif
	vgicheck_entry.result = vgic_maintenance_handler(vgicheck_world.mapped_irq, &vgicheck_running_vcpu);
}
#endif

#ifdef VGICHECK_FUNCTION_kvm_vgic_vcpu_init
void vgicheck_run_kvm_vgic_vcpu_init(void)
{
	vgicheck_vcpu.kvm = &vgicheck_kvm;
	vgicheck_kvm.arch.vgic.vctrl_base = vgicheck_entry.vm_has_vgic ? vgicheck_gich : NULL;
	vgic_vctrl_base = vgicheck_gich;
	VGICHECK_RESULT_kvm_vgic_vcpu_init kvm_vgic_vcpu_init(&vgicheck_vcpu);
}
#endif

#ifdef VGICHECK_FUNCTION_vgic_init_maintenance_interrupt
void vgicheck_run_vgic_init_maintenance_interrupt(void)
{
	vgic_init_maintenance_interrupt(&vgicheck_world.mapped_irq);
}
#endif

#ifdef VGICHECK_FUNCTION_kvm_vgic_hyp_init
void vgicheck_run_kvm_vgic_hyp_init(void)
{
	vgic_vctrl_base = vgicheck_entry.host_has_vgic ? vgicheck_gich : NULL;
	vgic_node = vgicheck_entry.host_has_node ? &vgicheck_node : NULL;
	vgicheck_entry.result = kvm_vgic_hyp_init();
	vgicheck_entry.host_has_vgic = vgic_vctrl_base != NULL;
	vgicheck_entry.host_has_node = vgic_node != NULL;
}
#endif

#ifdef VGICHECK_FUNCTION_kvm_vgic_init
void vgicheck_run_kvm_vgic_init(void)
{
	vgicheck_kvm.arch.vgic.vctrl_base = vgicheck_entry.vm_has_vgic ? vgicheck_gich : NULL;
	vgic_vctrl_base = vgicheck_entry.host_has_vgic ? vgicheck_gich : NULL;
	vgic_node = vgicheck_entry.host_has_node ? &vgicheck_node : NULL;
	vgicheck_entry.result = kvm_vgic_init(&vgicheck_kvm);
	vgicheck_entry.vm_has_vgic = vgicheck_kvm.arch.vgic.vctrl_base != NULL;
}
#endif
