//! What other programs took for the same work, measured once, beside what was measured now.

use std::fmt::Write;

use super::page::MIB;
use super::program::Program;
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

const PEERS: [Peer; 5] = [
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
];

/// The chapter of the page, where the same was measured now.
pub(super) fn chapter(all: &[Measured]) -> String {
    let Some(ours) = all.iter().find(|measured| measured.name == "1, real Kafka") else { return String::new() };
    let Some(Program { cpu, peak, yardstick }) = ours.program else { return String::new() };
    let (wall, peak, slower) = (ours.whole().wall, peak as f64 / MIB, yardstick.slower());
    let mut text = format!(
        "\n## Beside other programs\n\nPer refresh with one scrape at partition detail, all on a real Kafka with 1,000 \
         groups, 10,000 partitions and 100,000 committed offsets; in brackets how many times what Highwater takes. Highwater \
         is `highwater run` in the column `{}` above, and `kadm.Lag` was measured with it. The others were measured once, \
         all on the machine of the limits: for the brackets, what Highwater takes here is divided by {slower:.2}.\n\n\
         | | tells ages | wall, s | CPU, s | memory, MiB |\n|---|---|---|---|---|\n\
         | **Highwater** | with a bound, to the record where it asked | **{wall:.2}** | **{cpu:.2}** | **{peak:.0}** |\n\
         | franz-go `kadm.Lag`, a library call without output | no | {} | {} | {} |\n",
        ours.name,
        beside(yardstick.wall, yardstick.wall, wall),
        beside(yardstick.cpu, yardstick.cpu, cpu),
        beside(yardstick.peak, yardstick.peak, peak),
    );
    for peer in PEERS {
        let ours = [(peer.wall, wall / slower), (peer.cpu, cpu / slower), (peer.memory, peak)];
        let beside = ours
            .map(|(range, ours)| range.map_or("not measurable".to_owned(), |(least, most)| beside(least, most, ours)));
        writeln!(text, "| {} | {} | {} |", peer.name, peer.tells_age, beside.join(" | ")).unwrap();
    }
    text
}

fn beside(least: f64, most: f64, ours: f64) -> String {
    let figure = if least == most { figure(least) } else { format!("{least}–{most}") };
    format!("{figure} (× {:.1})", (least + most) / 2.0 / ours)
}

fn figure(figure: f64) -> String {
    if figure < 10.0 { format!("{figure:.2}") } else { format!("{figure:.0}") }
}
