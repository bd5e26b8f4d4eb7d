//! Traffic of a week in six shapes, each different with every seed: record timestamps in order, the last a while ago.

use fastrand::Rng;

pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// How far back the records go.
const WEEK: i64 = 7 * DAY;

/// Makes milliseconds since the beginning of the week, in any order.
type Shape = fn(&mut Rng) -> Vec<i64>;

/// Every shape with its name.
pub(crate) const SHAPES: [(&str, Shape); 6] = [
    ("steady", |rng| (0..3_000).map(|n| n * WEEK / 3_000 + rng.i64(0..WEEK / 3_000)).collect()),
    ("wave", wave),
    ("bursts", bursts),
    ("daily", daily),
    ("hourly", |rng| (0..168).map(|hour| hour * HOUR + rng.i64(0..10 * MINUTE)).collect()),
    ("step", step),
];

/// The seed of this run, which `HIGHWATER_TEST_SEED` gives again. A failed test shows it.
pub(crate) fn seeded() -> Rng {
    let given = std::env::var("HIGHWATER_TEST_SEED").ok();
    let seed = given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().expect("HIGHWATER_TEST_SEED is a number"));
    println!("HIGHWATER_TEST_SEED={seed}");
    Rng::with_seed(seed)
}

/// The timestamps of one shape, in order, from a week before `now` until before it.
pub(crate) fn timestamps(shape: Shape, now: i64, rng: &mut Rng) -> Vec<i64> {
    let mut times = shape(rng);
    times.retain(|time| (0..WEEK).contains(time));
    times.sort_unstable();
    times.into_iter().map(|time| now - WEEK + time).collect()
}

/// Busy days and quiet nights, fifty to one.
fn wave(rng: &mut Rng) -> Vec<i64> {
    let phase = rng.i64(0..DAY);
    let mut times = Vec::new();
    while times.len() < 3_000 {
        let time = rng.i64(0..WEEK);
        let turn = ((time + phase) % DAY) as f64 / DAY as f64 * std::f64::consts::TAU;
        if rng.f64() < 0.51 + 0.49 * turn.sin() {
            times.push(time);
        }
    }
    times
}

/// A minute full of records now and then, nothing between.
fn bursts(rng: &mut Rng) -> Vec<i64> {
    let starts: Vec<i64> = (0..25).map(|_| rng.i64(0..WEEK)).collect();
    starts.iter().flat_map(|start| [*start; 100]).map(|start| start + rng.i64(0..MINUTE)).collect()
}

/// One batch a day, written within two seconds.
fn daily(rng: &mut Rng) -> Vec<i64> {
    let hour = rng.i64(0..23) * HOUR;
    (0..7).flat_map(|day| [day * DAY + hour; 300]).map(|start| start + rng.i64(0..2 * SECOND)).collect()
}

/// Hardly anything, and from some moment on a hundred times as much.
fn step(rng: &mut Rng) -> Vec<i64> {
    let at = rng.i64(2 * DAY..6 * DAY);
    let before = (0..40).map(|_| rng.i64(0..at)).collect::<Vec<_>>();
    let after = (0..3_000).map(|_| rng.i64(at..WEEK));
    before.iter().copied().chain(after).collect()
}
