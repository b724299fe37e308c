//! Who works: processes of this machine told from others, and whether they live.

use std::fs;
use std::process;

use rustix::process::{Pid, test_kill_process};
use rustix::time::{ClockId, clock_gettime};

/// A worker, as leases name it: the boot of its machine, its namespace of process numbers, its number, and when it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    host: String,
    boot: String,
    namespace: String,
    pid: i32,
    started: u64,
}

/// What is known of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Alive,
    /// It is no more.
    Dead,
    /// It is on another machine, or in another container.
    Elsewhere,
}

impl Owner {
    /// This process.
    pub fn this() -> Self {
        let pid = i32::try_from(process::id()).unwrap_or(i32::MAX);
        Self { host: host(), boot: boot(), namespace: namespace(), pid, started: started(pid).unwrap_or(0) }
    }

    /// As a lease holds it.
    pub fn to_text(&self) -> String {
        [&self.host, &self.boot, &self.namespace, &self.pid.to_string(), &self.started.to_string()]
            .map(|part| part.replace('|', "_"))
            .join("|")
    }

    /// From a lease.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('|').map(str::to_owned);
        let (host, boot, namespace) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { host, boot, namespace, pid: parts.next()?.parse().ok()?, started: parts.next()?.parse().ok()? })
    }

    /// For people: machine and process.
    pub fn shown(&self) -> String {
        format!("{} process {}", self.host, self.pid)
    }

    /// Whether it still runs, if that can be seen from here.
    pub fn life(&self) -> Life {
        let here = Self::this();
        if self.boot != here.boot {
            return Life::Elsewhere;
        }
        if self.namespace != here.namespace || self.boot.is_empty() {
            return Life::Elsewhere;
        }
        let lives = Pid::from_raw(self.pid).is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
        // A number is given again; what was started at another moment is another process. A zombie works no more.
        if lives && started(self.pid).is_none_or(|started| started == self.started) { Life::Alive } else { Life::Dead }
    }

    /// Whether it belongs to a boot of the machine that is over, if all workers are of one machine.
    pub fn is_of_this_boot(&self) -> bool {
        self.boot == boot()
    }
}

/// Seconds since this machine was started, sleep included. Nobody can set this clock.
pub(crate) fn boot_clock_seconds() -> f64 {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Lowers the priority of this process.
///
/// # Errors
/// If the system does not let it.
pub fn be_nice(by: i32) -> std::io::Result<()> {
    rustix::process::nice(by)?;
    Ok(())
}

fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

fn namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default()
}

/// When a process was started, in ticks since the machine was; `None` where that is not told, 0 for one that only waits to be buried.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
    let state = rest.next()?;
    if state == "Z" || state == "X" { Some(0) } else { rest.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_are_told_from_the_dead() {
        let this = Owner::this();
        assert_eq!(Owner::parse(&this.to_text()), Some(this.clone()));
        assert_eq!(this.life(), Life::Alive);
        assert_eq!(
            Owner { started: this.started + 1, ..this.clone() }.life(),
            Life::Dead,
            "its number was given again"
        );
        assert_eq!(Owner { pid: i32::MAX, ..this.clone() }.life(), Life::Dead);
        assert_eq!(Owner { boot: "another".to_owned(), ..this.clone() }.life(), Life::Elsewhere);
        assert_eq!(Owner { namespace: "another".to_owned(), ..this }.life(), Life::Elsewhere);
    }

    #[test]
    fn the_clock_runs() {
        let before = boot_clock_seconds();
        assert!(before > 0.0 && boot_clock_seconds() >= before);
    }
}
