//! The identity of the user, the host and the process.

use rustix::{
    fs,
    io::Errno,
    process::{self, Pid},
    system,
    time::{self, ClockId},
};

use crate::{
    claim::is_abandoned,
    limits,
    path::{HostPath, InnerPath},
    time::Timestamp,
    transport::{
        FilesystemKind, Found, HostIdentity, Liveness, Reply, StepFailure,
        process::{BOOT_ID, Here, ProcessMark, Realm, Seen},
    },
};

use super::{ask, change, errno, root::Root};

type Answer = Result<Reply, StepFailure>;

pub(super) fn identify(root: &Root) -> Answer {
    let uid = process::geteuid().as_raw();
    Ok(Reply::Identity(HostIdentity {
        user: user_name(uid),
        uid,
        hostname: system::uname().nodename().to_string_lossy().into_owned(),
        boot: boot(),
        root: root.id,
        filesystem: filesystem(root),
        clock: now()?,
    }))
}

fn boot() -> Option<String> {
    let id = fs_err::read_to_string(BOOT_ID).ok()?;
    Some(id.trim_end().to_owned()).filter(|id| !id.is_empty())
}

fn filesystem(root: &Root) -> Option<FilesystemKind> {
    // The type of `f_type` differs between systems; its value has 32 bits.
    let [a, b, c, d, ..] = fs::fstatfs(root.fd()).ok()?.f_type.to_le_bytes();
    Some(FilesystemKind(u32::from_le_bytes([a, b, c, d])))
}

pub(super) fn clock() -> Answer {
    now().map(Reply::Clock)
}

fn now() -> Result<Timestamp, StepFailure> {
    let now = time::clock_gettime(ClockId::Realtime);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Timestamp::from_unix(now.tv_sec, nanoseconds).ok_or_else(|| errno::failure("the clock", Errno::RANGE))
}

/// Returns the user's name from `/etc/passwd`, or the number of a user that only a directory service knows.
fn user_name(uid: u32) -> String {
    let users = fs_err::read("/etc/passwd").unwrap_or_default();
    name_in(&String::from_utf8_lossy(&users), uid).unwrap_or_else(|| uid.to_string())
}

fn name_in(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

pub(super) fn mark_process(root: &Root, path: &InnerPath, mode: u32) -> Answer {
    let mark = own_mark().map_err(errno::on("the identity of this process"))?;
    // A mark cut short by a kill would never identify any process.
    change::write_at_once(root, path, &mark.to_content(), mode)
}

fn own_mark() -> errno::Result<ProcessMark> {
    let read = |path: &str| fs_err::read(path).map_err(|error| errno::of(&error));
    let (stat, _) = (read("/proc/self/stat")?, read(BOOT_ID)?);
    ProcessMark::new(std::process::id(), &stat, &here()).ok_or(Errno::NOTSUP)
}

/// Returns the boot, and the scope in which ids are read.
fn here() -> Here {
    let first = fs_err::read("/proc/1/stat").ok();
    let realm = Realm::new(first.as_deref(), &system::uname().nodename().to_string_lossy());
    Here { boot: fs_err::read_to_string(BOOT_ID).unwrap_or_default(), realm }
}

/// Checks whether the marked process runs. This process counts as ended for what it abandoned.
pub(super) fn check_process(root: &Root, path: &InnerPath, place: &HostPath) -> Reply {
    let mark = match ask::read(root, path, limits::PROCESS_MARK) {
        Ok(Reply::Content(Some(Found::Content(content)))) => ProcessMark::parse(&content),
        _ => None,
    };
    Reply::Process(match mark.as_ref().map(liveness) {
        Some(Liveness::Alive)
            if mark == own_mark().ok() && path.as_str().split('/').any(|name| is_abandoned(place, name)) =>
        {
            Liveness::Gone
        }
        liveness => liveness.unwrap_or(Liveness::Unknown),
    })
}

fn liveness(mark: &ProcessMark) -> Liveness {
    let here = here();
    match fs_err::read(format!("/proc/{}/stat", mark.pid)) {
        Ok(stat) => mark.liveness(&here, Seen::Stat(&stat)),
        Err(_) if exists(mark.pid) => mark.liveness(&here, Seen::Hidden),
        Err(_) => mark.liveness(&here, Seen::Nothing),
    }
}

/// Whether a process has this id, visible or not: a signal finds processes that `/proc` hides.
fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| process::test_kill_process(pid) != Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n:x:7::\nbroken\ndeploy:x:1000:1000::/home/deploy:/bin/sh\n";
        assert_eq!(name_in(users, 0), Some("root".to_owned()));
        assert_eq!(name_in(users, 1000), Some("deploy".to_owned()));
        assert_eq!(name_in(users, 7), None);
        assert_eq!(name_in(users, 100), None);
    }

    #[test]
    fn this_process_is_alive_and_no_other_start_is() {
        let mark = own_mark().unwrap();
        assert_eq!(liveness(&mark), Liveness::Alive);
        assert_eq!(liveness(&ProcessMark { start: mark.start + 1, ..mark.clone() }), Liveness::Gone);
        assert_eq!(liveness(&ProcessMark { boot: "another".to_owned(), ..mark.clone() }), Liveness::Gone);
        assert_eq!(liveness(&ProcessMark { pid: 0x3fff_ffff, ..mark }), Liveness::Gone);
    }

    /// In a container whose first process never reaps, a killed process stays a zombie for ever.
    #[test]
    fn a_process_that_ended_is_gone_though_nobody_waited_for_it() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let stat = fs_err::read(format!("/proc/{}/stat", child.id())).unwrap();
        let mark = ProcessMark::new(child.id(), &stat, &here()).unwrap();
        assert_eq!(liveness(&mark), Liveness::Alive);
        child.kill().unwrap();
        while liveness(&mark) != Liveness::Gone {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(liveness(&mark), Liveness::Gone);
    }
}
