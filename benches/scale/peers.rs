//! What other programs took for the same work, measured once, beside what was measured now.

use std::fmt::Write;

use super::page::MIB;
use super::sampled::Measured;

/// From the least to the most that was seen.
type Range = (f64, f64);

/// Another program: per refresh with one scrape at partition detail, on a real Kafka with 1,000 groups, 10,000
/// partitions and 100,000 committed offsets.
struct Peer {
    name: &'static str,
    /// Whether it knows ages at all.
    tells_age: &'static str,
    wall: Option<Range>,
    cpu: Option<Range>,
    /// MiB.
    memory: Option<Range>,
}

const PEERS: [Peer; 6] = [
    Peer {
        name: "kafka_exporter (953e2f1)",
        tells_age: "no",
        wall: Some((24.5, 26.5)),
        cpu: Some((12.8, 13.3)),
        memory: Some((286.0, 368.0)),
    },
    Peer {
        name: "klag-exporter 0.1.29, rate mode",
        tells_age: "by rate",
        wall: Some((4.2, 4.2)),
        cpu: Some((3.5, 3.5)),
        memory: Some((475.0, 710.0)),
    },
    Peer {
        name: "klag-exporter 0.1.29, message mode: every cycle was cut at 25 s, nothing published",
        tells_age: "exactly",
        wall: None,
        cpu: None,
        memory: Some((335.0, 335.0)),
    },
    Peer {
        name: "kminion (4f3867a)",
        tells_age: "no",
        wall: Some((1.0, 1.7)),
        cpu: Some((0.81, 1.04)),
        memory: Some((176.0, 200.0)),
    },
    Peer {
        name: "Burrow (ced55ba), the scrape alone",
        tells_age: "no",
        wall: Some((0.75, 1.1)),
        cpu: None,
        memory: Some((335.0, 335.0)),
    },
    Peer {
        name: "franz-go `kadm.Lag`, a library call without output",
        tells_age: "no",
        wall: Some((0.19, 0.76)),
        cpu: Some((0.11, 0.16)),
        memory: Some((95.0, 95.0)),
    },
];

/// The chapter of the page, where the same was measured now.
pub(super) fn chapter(all: &[Measured]) -> String {
    let Some(ours) = all.iter().find(|measured| measured.name == "1, real Kafka") else { return String::new() };
    let Some(program) = ours.program else { return String::new() };
    let (wall, cpu, peak) = (ours.whole().wall, program.cpu, program.peak as f64 / MIB);
    let mut text = format!(
        "\n## Beside other programs\n\nPer refresh with one scrape at partition detail, all on a real Kafka with 1,000 \
         groups, 10,000 partitions and 100,000 committed offsets; in brackets how many times what Highwater takes. The \
         others were measured once, all on one machine with other work beside, which need not be this one; Highwater is \
         `highwater run` in the column `{}` above.\n\n| | tells ages | wall, s | CPU, s | memory, MiB |\n|---|---|---|---|---|\n\
         | **Highwater** | with a bound, to the record where it asked | **{wall:.2}** | **{cpu:.2}** | **{peak:.0}** |\n",
        ours.name,
    );
    for peer in PEERS {
        let beside = [(peer.wall, wall), (peer.cpu, cpu), (peer.memory, peak)].map(|(range, ours)| beside(range, ours));
        writeln!(text, "| {} | {} | {} |", peer.name, peer.tells_age, beside.join(" | ")).unwrap();
    }
    text
}

fn beside(range: Option<Range>, ours: f64) -> String {
    let Some((least, most)) = range else { return "not measurable".to_owned() };
    let figure = if least == most { format!("{least}") } else { format!("{least}–{most}") };
    format!("{figure} (× {:.1})", (least + most) / 2.0 / ours)
}
