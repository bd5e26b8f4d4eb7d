//! What `highwater run` costs at its own pace, as it is installed: the whole program, seen from outside, and beside it
//! what another client of Kafka takes for the same answers.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::fixture::{GROUPS, TOPICS};
use super::sampler::number;
use super::{AVERAGED, FIRST, scrape};

/// From one sample to the next.
const INTERVAL: Duration = Duration::from_secs(20);

/// Units of the kernel's CPU times in a second.
const TICKS: f64 = 100.0;

/// The figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// Of one sample and one scrape, in seconds.
    pub(crate) cpu: f64,
    /// Of memory in the first samples, in bytes.
    pub(crate) peak: u64,
    /// The mean of before and after it.
    pub(crate) yardstick: Yardstick,
}

/// One look of `yardstick/main.go`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Yardstick {
    /// Seconds.
    pub(crate) cpu: f64,
    pub(crate) wall: f64,
    /// Of memory, in MiB.
    pub(crate) peak: f64,
}

/// CPU seconds of a look where the limits of time were set and other programs were measured: 0.11 to 0.16.
pub(crate) const LOOK: f64 = 0.135;

impl Yardstick {
    /// How much slower than that machine is this one, and this run of it.
    pub(crate) fn slower(self) -> f64 {
        self.cpu / LOOK
    }
}

/// Measures both on this Kafka; ages of so many partitions are to be in the scrape.
pub(crate) fn measure(broker: &str, yardstick: &str, commits: usize) -> Program {
    let before = looks(yardstick, broker);
    let (cpu, peak) = run(broker, commits);
    let after = looks(yardstick, broker);
    let mean = |of: fn(Yardstick) -> f64| (of(before) + of(after)) / 2.0;
    Program { cpu, peak, yardstick: Yardstick { cpu: mean(|y| y.cpu), wall: mean(|y| y.wall), peak: mean(|y| y.peak) } }
}

fn looks(yardstick: &str, broker: &str) -> Yardstick {
    let output = Command::new(yardstick).args([broker, GROUPS]).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the yardstick");
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    let [cpu, wall, peak] = figures[..] else { panic!("{text}") };
    Yardstick { cpu, wall, peak }
}

/// CPU seconds of one sample and one scrape, and the peak of memory in bytes.
fn run(broker: &str, commits: usize) -> (f64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let document = format!(
        "apiVersion: highwater.dev/v1alpha1\nkind: LagMonitor\nmetadata: {{name: scale, namespace: bench}}\nspec:\n  \
         brokers: [\"{broker}\"]\n  groups: {{include: [\"{GROUPS}*\"]}}\n  topics: {{include: [\"{TOPICS}*\"]}}\n  \
         sampling: {{interval: {}s}}\n",
        INTERVAL.as_secs()
    );
    std::fs::write(folder.path().join("monitor.yaml"), document).unwrap();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.current_dir(&folder).args(["run", "-f", "monitor.yaml", "--metrics-detail", "partition"]);
    command.args(["--data-dir", "data", "--listen", &address]).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().unwrap());
    let begun = Instant::now();
    // Between two samples, a little after the one before.
    let wait_for = |samples: u32| {
        let until = INTERVAL * samples + INTERVAL / 4;
        std::thread::sleep(until.saturating_sub(begun.elapsed()));
    };
    wait_for((FIRST - 1 - AVERAGED) as u32);
    let before = running.cpu();
    for sample in FIRST - AVERAGED..FIRST {
        wait_for(sample as u32);
        assert_eq!(scrape::ages(&scrape::get(&address)), commits, "ages in the scrape");
    }
    ((running.cpu() - before) / AVERAGED as f64, running.peak())
}

struct Running(Child);

impl Running {
    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0.id())
    }

    /// CPU seconds so far.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(self.file("stat")).unwrap();
        // The name before the bracket may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS
    }

    fn peak(&self) -> u64 {
        number(&self.file("status"), "VmHWM:") * 1024
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
