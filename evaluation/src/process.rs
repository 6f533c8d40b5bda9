//! One child process: in a group of its own, its logs in files, killed with all
//! its children when dropped.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::usage::{self, Usage};
use crate::wait::until;

/// Lines of a log that a failure shows.
const SHOWN_LINES: usize = 80;

/// A child process.
///
/// When it is dropped by a panic, the last lines of what it wrote are shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    reaper: Child,
    output: PathBuf,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it writes goes to files in `folder`.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let output = folder.join(format!("{name}.out"));
        let log = folder.join(format!("{name}.log"));
        // Settings of the person who runs the tests are not part of the tests.
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("WASIPOOL_") {
                command.env_remove(variable);
            }
        }
        command
            .stdin(Stdio::null())
            .stdout(append(&output)?)
            .stderr(append(&log)?)
            .process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .spawn()
            .with_context(|| format!("{program} doesn't start"))?;
        let reaper = match reaper(child.id()) {
            Ok(reaper) => reaper,
            Err(error) => {
                child.kill().context("the process can't be killed either")?;
                return Err(error);
            }
        };
        Ok(Self {
            name: name.to_owned(),
            child,
            reaper,
            output,
            log,
        })
    }

    /// Waits for the line of stdout that begins with `prefix`.
    ///
    /// # Errors
    /// If it doesn't come in time, or the process ends before.
    pub async fn line(&mut self, prefix: &str, limit: Duration) -> anyhow::Result<String> {
        let what = format!("{} prints `{prefix}…`", self.name);
        until(&what, limit, async || {
            let ended = self.child.try_wait()?;
            let text = String::from_utf8_lossy(&fs::read(&self.output)?).into_owned();
            // Only a line with its end is a whole one.
            let mut lines = text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            if let Some(line) = lines.find(|line| line.starts_with(prefix)) {
                return Ok(Some(line.trim_end().to_owned()));
            }
            match ended {
                Some(status) => anyhow::bail!("{} ended with {status} instead: {what}", self.name),
                None => Ok(None),
            }
        })
        .await
    }

    /// Asks it to end: SIGTERM, to itself and none of its children.
    ///
    /// # Errors
    /// If there is no such process any more.
    pub fn terminate(&self) -> anyhow::Result<()> {
        kill_process(pid(&self.child)?, Signal::TERM).context("SIGTERM can't be sent")
    }

    /// Ends it and its children: SIGKILL, to the whole group.
    ///
    /// # Errors
    /// If that isn't possible.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_none() {
            kill_process_group(pid(&self.child)?, Signal::KILL).context("SIGKILL can't be sent")?;
        }
        self.child
            .wait()
            .context("the process can't be waited for")?;
        Ok(())
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// If it doesn't in time.
    pub async fn exited(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let what = format!("{} ends", self.name);
        until(&what, limit, async || Ok(self.child.try_wait()?)).await
    }

    /// The name of its process group: its own process id.
    #[must_use]
    pub fn group(&self) -> u32 {
        self.child.id()
    }

    /// What it and its children have used so far.
    ///
    /// # Errors
    /// If it has ended.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        usage::of_group(self.group())
    }

    /// Waits until it has computed for another `time` from now on.
    ///
    /// # Errors
    /// If it hasn't within `limit`.
    pub async fn computed(&self, time: Duration, limit: Duration) -> anyhow::Result<()> {
        let before = self.usage()?.cpu;
        let what = format!("{} computes", self.name);
        until(&what, limit, async || {
            let now = self.usage()?.cpu;
            Ok((now >= before + time).then_some(()))
        })
        .await
    }

    /// The last lines of what it wrote.
    fn last_lines(&self) -> String {
        let mut text = String::new();
        for path in [&self.output, &self.log] {
            let bytes = fs::read(path).unwrap_or_default();
            let written = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = written.lines().collect();
            let from = lines.len().saturating_sub(SHOWN_LINES);
            if from > 0 {
                text.push_str("…\n");
            }
            for line in &lines[from..] {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[expect(
                clippy::print_stderr,
                reason = "the test harness shows it with the failure"
            )]
            {
                eprintln!("--- {} wrote:\n{}---", self.name, self.last_lines());
            }
        }
        // What can't be killed any more is gone already.
        let _ = self.kill();
        let _ = self.reaper.kill();
        let _ = self.reaper.wait();
    }
}

fn append(path: &Path) -> anyhow::Result<File> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| path.display().to_string())
}

fn pid(child: &Child) -> anyhow::Result<Pid> {
    let id = i32::try_from(child.id())?;
    Pid::from_raw(id).context("a child with the id 0")
}

/// Kills the group of `leader` when this process ends, however it ends: nothing
/// may stay behind of a test that is interrupted. Its stdin is the sign.
fn reaper(leader: u32) -> anyhow::Result<Child> {
    Command::new("sh")
        .args([
            "-c",
            "read -r end; kill -s KILL -- \"-$1\"",
            "reaper",
            &leader.to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("sh doesn't start")
}
