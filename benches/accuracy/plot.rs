//! Draws the errors of each method over the true age, both on logarithmic scales, as an SVG.

use std::fmt::Write as _;

use crate::page::length;
use crate::peers;
use crate::tally::{EDGES, Errors};
use crate::week::Outcome;

const SIZE: (f64, f64) = (860.0, 470.0);
/// Left, right, top, bottom.
const FRAME: (f64, f64, f64, f64) = (70.0, 560.0, 40.0, 410.0);
/// The ages and the errors that are drawn, in milliseconds.
const AGES: (f64, f64) = (1e3, 7.0 * 864e5);
const ERRORS: (f64, f64) = (1.0, 1e9);
const COLOURS: [&str; 5] = ["#0a6e4f", "#b5442e", "#8a5a9e", "#c08a1e", "#3b6ea8"];

/// The plot of p95 errors of all shapes together.
pub(crate) fn plot(outcome: &Outcome) -> String {
    let (width, height) = SIZE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{}\" y=\"24\" font-size=\"15\">95 % of the errors are below, by the true age of the data</text>\n",
        FRAME.0
    );
    grid(&mut svg);
    let names = ["Highwater"].into_iter().chain(peers::NAMES);
    for (method, (name, colour)) in names.zip(COLOURS).enumerate() {
        line(&mut svg, &outcome.by_age[method], colour);
        let y = FRAME.2 + 20.0 + 44.0 * method as f64;
        let (title, programs) = name.split_once(" (").map_or((name, ""), |(a, b)| (a, b.trim_end_matches(')')));
        let x = FRAME.1 + 16.0;
        writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"{y}\">{title}</text>\
             <text x=\"{}\" y=\"{}\" fill=\"#666\" font-size=\"11\">{programs}</text>",
            y - 10.0,
            x + 20.0,
            x + 20.0,
            y + 15.0,
        )
        .unwrap();
    }
    svg.push_str("</svg>\n");
    svg
}

fn grid(svg: &mut String) {
    let (left, right, top, bottom) = FRAME;
    for power in 0..=9 {
        let error = 10_f64.powi(power);
        let y = y(error);
        writeln!(
            svg,
            "<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444\">{}</text>",
            left - 8.0,
            y + 4.0,
            length(error)
        )
        .unwrap();
    }
    for (age, label) in [
        (1e3, "1 s"),
        (1e4, "10 s"),
        (6e4, "1 min"),
        (6e5, "10 min"),
        (36e5, "1 h"),
        (216e5, "6 h"),
        (864e5, "1 d"),
        (5184e5, "6 d"),
    ] {
        let x = x(age);
        writeln!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#eee\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#444\">{label}</text>",
            bottom + 18.0
        )
        .unwrap();
    }
    let wanted: Vec<String> = [1e3, 1e5, AGES.1].iter().map(|age| place(*age, (age / 100.0).max(1e3))).collect();
    writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#999\" stroke-dasharray=\"5 4\"/>\
         <text x=\"{}\" y=\"{:.1}\" fill=\"#777\" font-size=\"11\">wanted: 1 s or 1 %</text>",
        wanted.join(" "),
        left + 8.0,
        y(1e3) - 6.0
    )
    .unwrap();
}

/// One method: the p95 between every two edges, where it gave numbers.
fn line(svg: &mut String, errors: &[Errors], colour: &str) {
    let lower = std::iter::once(1_000).chain(EDGES);
    let upper = EDGES.into_iter().chain([600_000_000]);
    let points: Vec<String> = lower
        .zip(upper)
        .zip(errors)
        .filter_map(|((low, high), errors)| {
            let [_, p95, ..] = errors.quantiles()?;
            Some(place((low as f64 * high as f64).sqrt(), p95))
        })
        .collect();
    writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>", points.join(" "))
        .unwrap();
}

fn place(age: f64, error: f64) -> String {
    format!("{:.1},{:.1}", x(age), y(error))
}

fn x(age: f64) -> f64 {
    FRAME.0 + (FRAME.1 - FRAME.0) * scale(age, AGES)
}

fn y(error: f64) -> f64 {
    FRAME.3 - (FRAME.3 - FRAME.2) * scale(error, ERRORS)
}

fn scale(value: f64, (low, high): (f64, f64)) -> f64 {
    ((value.clamp(low, high) / low).ln() / (high / low).ln()).clamp(0.0, 1.0)
}
