//! System calls that no application of a web server needs and that attacks on the kernel and on other processes do: refused
//! with EPERM by a filter of the kernel's (seccomp(2)).
//!
//! What is not named here stays allowed: an application may use what the next version of its libraries needs.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

/// Refused whatever their arguments are.
const REFUSED: &[libc::c_long] = &[
    // The kernel itself.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_personality,
    // What files there are.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_fanotify_init,
    libc::SYS_open_by_handle_at,
    // Clocks and names of the machine.
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Keys of the kernel's.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Namespaces, in which whoever is nobody is root.
    libc::SYS_unshare,
    libc::SYS_setns,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// What makes clone(2) begin in another namespace.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// On x86-64 every call has a second number, with this bit (the x32 interface), which would go around the filter.
#[cfg(target_arch = "x86_64")]
const SECOND_NUMBER: Option<i64> = Some(0x4000_0000);
#[cfg(not(target_arch = "x86_64"))]
const SECOND_NUMBER: Option<i64> = None;

/// Where the second numbers are others than the first, ptrace's among them.
const ONLY_SECOND: std::ops::RangeInclusive<i64> = 512..=547;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// From here on such calls are refused to this thread and to all that it makes.
pub fn refuse_dangerous() -> io::Result<()> {
    let mut rules: Rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let flags = NAMESPACES.map(|flag| when(0, flag as u64, flag as u64));
    rules.insert(libc::SYS_clone, flags.into_iter().collect::<io::Result<_>>()?);
    // Typing for whoever sits at the terminal.
    rules.insert(libc::SYS_ioctl, vec![when(1, u64::from(u32::MAX), u64::from(libc::TIOCSTI as u32))?]);
    if let Some(bit) = SECOND_NUMBER {
        rules.extend(ONLY_SECOND.map(|call| (call | bit, Vec::new())));
    }
    refuse(rules, libc::EPERM)?;
    // Its flags lie in memory, where no filter can look: whoever hears that there is no such call takes clone(2).
    refuse([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS)
}

/// Of a call: when one of its arguments has this value in these bits.
fn when(argument: u8, bits: u64, value: u64) -> io::Result<SeccompRule> {
    let operator = SeccompCmpOp::MaskedEq(bits);
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value).map_err(unfit)?;
    SeccompRule::new(vec![condition]).map_err(unfit)
}

fn refuse(mut rules: Rules, errno: libc::c_int) -> io::Result<()> {
    if let Some(bit) = SECOND_NUMBER {
        let second: Rules = rules.iter().map(|(call, rules)| (call | bit, rules.clone())).collect();
        rules.extend(second);
    }
    let machine = TargetArch::try_from(std::env::consts::ARCH).map_err(unfit)?;
    let refused = SeccompAction::Errno(errno as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, machine).map_err(unfit)?;
    let program = BpfProgram::try_from(filter).map_err(unfit)?;
    apply_filter(&program).map_err(unfit)
}

fn unfit(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}
