//! What processes have used: processor time and memory, as the kernel counts it.

use std::fs;
use std::time::Duration;

/// Milliseconds of the unit of processor time in `/proc`, the same on every Linux.
const TICK_MS: u64 = 10;

/// What a group of processes has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time, user and system.
    pub cpu: Duration,
    /// Memory in use now, in bytes (resident; of several processes, the sum).
    pub resident_bytes: u64,
    /// The most that was in use since [`forget_peak`], in bytes.
    pub peak_bytes: u64,
}

/// What the processes of a group have used, children that run included.
///
/// # Errors
/// If there is no such group.
pub fn of_group(group: u32) -> anyhow::Result<Usage> {
    let mut usage = Usage::default();
    let members = members(group)?;
    anyhow::ensure!(
        !members.is_empty(),
        "the process group {group} has no members"
    );
    for (id, ticks) in members {
        usage.cpu += Duration::from_millis(ticks * TICK_MS);
        // It may have ended meanwhile.
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        usage.resident_bytes += kilobytes(&status, "VmRSS:") * 1024;
        usage.peak_bytes += kilobytes(&status, "VmHWM:") * 1024;
    }
    Ok(usage)
}

/// Begins anew with the peak of each process of a group.
///
/// # Errors
/// If the processes can't be listed.
pub fn forget_peak(group: u32) -> anyhow::Result<()> {
    for (id, _) in members(group)? {
        // Needs to be of the same user; where it isn't, the peak is that of its life.
        let _ = fs::write(format!("/proc/{id}/clear_refs"), "5");
    }
    Ok(())
}

/// Processes of a group, each with the ticks that it computed.
fn members(group: u32) -> anyhow::Result<Vec<(u32, u64)>> {
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        if let Some((its_group, ticks)) = parse_stat(&stat)
            && its_group == group
        {
            members.push((id, ticks));
        }
    }
    Ok(members)
}

/// The process group and the ticks of user and system time.
fn parse_stat(stat: &str) -> Option<(u32, u64)> {
    // The second field is the program's name, in parentheses, with any bytes.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((u32::try_from(number(2)?).ok()?, number(11)? + number(12)?))
}

fn kilobytes(status: &str, field: &str) -> u64 {
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_understood() {
        let stat = "7 (a) b) S 1 42 42 0 -1 0 0 0 0 0 150 25 0 0 20 0 1 0";
        assert_eq!(parse_stat(stat), Some((42, 175)));
        assert_eq!(parse_stat("7 (cut"), None);
        assert_eq!(kilobytes("VmPeak:\t 9 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), 12);
    }

    #[test]
    fn this_process_uses_something() {
        let group = rustix::process::getpgrp().as_raw_nonzero().get();
        let usage = of_group(u32::try_from(group).unwrap()).unwrap();
        assert!(
            usage.resident_bytes > 0 && usage.peak_bytes >= usage.resident_bytes,
            "{usage:?}"
        );
        of_group(u32::MAX).unwrap_err();
    }
}
