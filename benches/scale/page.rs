//! The figures as a table, as docs/benchmarks.md, and against what was promised.

use std::fmt::Write;
use std::process::Command;

use rdkafka::util::get_rdkafka_version;

use super::sampled::{Ages, Measured, Sampled};

pub(super) const MIB: f64 = 1_048_576.0;

/// The rows of the table: what they are called, and the figure.
type Row = (&'static str, fn(&Measured) -> String);

const ROWS: [Row; 23] = [
    ("groups × partitions × committed offsets", |m| {
        format!("{} × {} × {}", m.size.groups, m.size.partitions(), m.size.commits())
    }),
    ("observe, CPU s (wall)", |m| cost(m, 0)),
    ("remember", |m| cost(m, 1)),
    ("probe", |m| cost(m, 2)),
    ("judge", |m| cost(m, 3)),
    ("store", |m| cost(m, 4)),
    ("scrape over HTTP, partition detail", |m| cost(m, 5)),
    ("– of it rendering", |m| format!("{:.3} ({:.3})", m.mean(|s| s.render.cpu), m.mean(|s| s.render.wall))),
    ("**one sample and one scrape**", |m| format!("**{:.3}** ({:.3})", m.whole().cpu, m.whole().wall)),
    ("`highwater run`: one sample and one scrape, CPU s", |m| {
        m.program.map_or("–".to_owned(), |program| format!("**{:.2}**", program.cpu))
    }),
    ("– its peak of memory in the first samples, MiB", |m| {
        m.program.map_or("–".to_owned(), |program| format!("{:.0}", program.peak as f64 / MIB))
    }),
    ("the first sample with its scrape", |m| {
        let whole = m.first.first().map(Sampled::whole).unwrap_or_default();
        format!("{:.3} ({:.3})", whole.cpu, whole.wall)
    }),
    ("questions by time", |m| format!("{:.0}", m.mean(|s| s.probes as f64))),
    ("requests", |m| match m.settled().iter().all(|s| s.requests.is_some()) {
        true => format!("{:.0}", m.mean(|s| s.requests.unwrap_or(0) as f64)),
        false => "not counted".to_owned(),
    }),
    ("ages of partitions in the scrape", |m| format!("{:.0}", m.mean(|s| s.aged as f64))),
    ("of those that lag, in the first sample: ± s, median, 95 % and largest", |m| bounds(m.first.first())),
    ("– in the sixth", |m| bounds(m.first.last())),
    ("as exact as wanted of them, to 1 s or 1 %: in the first, in the sixth sample", |m| {
        [m.first.first(), m.first.last()].map(|s| format!("{:.2} %", 100.0 - inexact(s))).join(", ")
    }),
    ("scrape, MiB", |m| format!("{:.1}", m.mean(|s| s.scraped_bytes as f64) / MIB)),
    ("peak of memory in the first samples, MiB", |m| mib(&m.first, |s| s.peak)),
    ("resident with full histories, MiB", |m| mib(&m.full, |s| s.resident)),
    ("journal, KiB a sample", |m| format!("{:.0}", m.mean(|s| s.journal as f64) / 1024.0)),
    ("database, MiB written a day at one sample a minute", |m| {
        format!("{:.0}", m.mean(|s| s.stored as f64) * 1440.0 / MIB)
    }),
];

fn cost(measured: &Measured, part: usize) -> String {
    let (cpu, wall) = (measured.mean(|s| s.parts()[part].1.cpu), measured.mean(|s| s.parts()[part].1.wall));
    format!("{cpu:.3} ({wall:.3})")
}

/// How many of the ages of what lags are not as exact as wanted, in percent.
pub(super) fn inexact(sampled: Option<&Sampled>) -> f64 {
    sampled.map_or(100.0, |s| 100.0 * (s.ages.count - s.ages.exact) as f64 / s.ages.count.max(1) as f64)
}

fn bounds(sampled: Option<&Sampled>) -> String {
    let Some(Ages { count, at_least, bounds: [median, most, largest], .. }) = sampled.map(|sampled| sampled.ages)
    else {
        return "–".to_owned();
    };
    let only = if at_least > 0 { format!(", {at_least} of {count} lower bounds only") } else { String::new() };
    format!("{median:.3}, {most:.3}, {largest:.1}{only}")
}

fn mib(samples: &[Sampled], bytes: fn(&Sampled) -> u64) -> String {
    format!("{:.0}", most(samples, bytes))
}

/// The most of them, in MiB.
pub(super) fn most(samples: &[Sampled], bytes: fn(&Sampled) -> u64) -> f64 {
    samples.iter().map(bytes).max().unwrap_or(0) as f64 / MIB
}

fn table(all: &[Measured]) -> String {
    let mut text = String::from("| |");
    all.iter().for_each(|measured| write!(text, " {} |", measured.name).unwrap());
    text += "\n|---|";
    all.iter().for_each(|_| text += "---|");
    for (name, figure) in ROWS {
        write!(text, "\n| {name} |").unwrap();
        all.iter().for_each(|measured| write!(text, " {} |", figure(measured)).unwrap());
    }
    text + "\n"
}

/// Prints the table.
pub(crate) fn tell(all: &[Measured]) {
    println!("{}", table(all));
}

/// Writes docs/benchmarks.md.
pub(crate) fn write(all: &[Measured], kafka: &str) {
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let mut growth = String::new();
    for pair in all.windows(2).filter(|pair| pair.iter().all(|m| m.name.contains("simulated"))) {
        let (small, large) = (pair[0].whole().cpu, pair[1].whole().cpu);
        writeln!(growth, "- from {} to {}: CPU × {:.1}", pair[0].name, pair[1].name, large / small).unwrap();
    }
    let page = format!(
        "# What a sample costs\n\nWritten by `tests/bed/scale --write`: the tables are measured, not typed. \
         `tests/bed/scale --short` measures a tenth of it and is part of `tests/run`; both fail where an age is missing or a limit is missed, by a quarter where it is one of time.\n\n\
         {}, Highwater {}, librdkafka {}, Kafka {kafka}, {}, {cores} cores of {model}, {}.\n\nEach figure is the mean of {} samples with one scrape \
         each, after {} others. CPU seconds are those of the measured process, all its threads together; wall seconds \
         stand behind them. A size names groups, partitions and committed offsets; on the simulated cluster, a process \
         of its own that is not counted, seven of ten groups keep up, one falls behind, two have stopped, and ten records a \
         second are written to every partition: what is committed by those that read moves between any two samples. On the \
         real Kafka nothing moves.\n\n{}\n## Growth\n\n{growth}\n## What was wanted\n\n{}",
        output("date", &["+%Y-%m-%d"]),
        env!("CARGO_PKG_VERSION"),
        get_rdkafka_version().1,
        output("rustc", &["--version"]),
        output("uname", &["-sr"]),
        super::AVERAGED,
        super::FIRST - super::AVERAGED,
        table(all),
        super::wanted::table(all),
    ) + &super::peers::chapter(all);
    std::fs::create_dir_all("docs").unwrap();
    let bounds = std::fs::read_to_string("docs/benchmarks.md").unwrap_or_default();
    let written = bounds.split_once("\n## What bounds it\n").map_or(String::new(), |(_, rest)| rest.to_owned());
    std::fs::write("docs/benchmarks.md", format!("{page}\n## What bounds it\n{written}")).unwrap();
}

/// Ends with an error where something is missing, and where more is taken than is wanted.
pub(crate) fn judge(all: &[Measured]) {
    for measured in all {
        for sampled in measured.first.iter().chain(&measured.full) {
            assert_eq!(sampled.groups, measured.size.groups, "{}: groups", measured.name);
            assert_eq!(sampled.partitions, measured.size.partitions(), "{}: partitions", measured.name);
            assert_eq!(sampled.series, measured.size.commits(), "{}: series", measured.name);
            assert_eq!(sampled.aged, measured.size.commits(), "{}: ages", measured.name);
        }
    }
    super::wanted::judge(all);
}
