//! The terminal: text out, errors out, and a frame that is redrawn in place.

use std::io::{self, IsTerminal, Write};

use crossterm::{cursor, execute, queue, terminal};
use unicode_width::UnicodeWidthChar;

use crate::lag::report::Report;
use crate::output::{Format, RenderError, render};

/// Whether standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether to colour what is printed.
pub(super) fn colours() -> bool {
    colours_wanted(is_terminal())
}

/// Whether to colour what goes to a terminal, or to something else.
pub(super) fn colours_wanted(terminal: bool) -> bool {
    crate::output::table::colours_wanted(terminal, std::env::var_os("NO_COLOR").as_deref())
}

/// Prints text as it is.
///
/// # Errors
/// Those of standard output; a closed pipe is one.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints one line on standard error.
pub(super) fn complain(text: &str) {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(io::stderr(), "highwater: {text}");
}

/// Brings back the cursor that [`Frames`] hide; for a process that ends without dropping them.
pub(super) fn show_cursor() {
    if is_terminal() {
        // The cursor comes back as well as it can.
        let _ = execute!(io::stdout(), cursor::Show);
    }
}

/// When the report was made, and its table below.
///
/// # Errors
/// As [`render`].
pub(super) fn frame(report: &Report, format: Format) -> Result<String, RenderError> {
    Ok(format!("{}\n{}\n", report.generated_at, render(report, format, colours())?))
}

/// Frames redrawn in place on a terminal; printed one after another elsewhere.
#[derive(Debug, Default)]
pub(super) struct Frames {
    height: u16,
}

impl Frames {
    /// Draws the next frame over the last one, complaints below. A frame too high for the terminal loses its end, a
    /// line too wide as well. Elsewhere complaints go to standard error.
    ///
    /// # Errors
    /// Those of standard output.
    pub(super) fn draw(&mut self, frame: &str, complaints: &[String]) -> io::Result<()> {
        if !is_terminal() {
            print(frame)?;
            complaints.iter().for_each(|text| complain(text));
            return Ok(());
        }
        let (columns, rows) = terminal::size()?;
        let lines = fit(frame, complaints, columns.into(), rows.saturating_sub(1).into());
        let mut out = io::stdout().lock();
        if self.height > 0 {
            queue!(out, cursor::MoveToPreviousLine(self.height))?;
        } else {
            queue!(out, cursor::Hide)?;
        }
        queue!(out, terminal::BeginSynchronizedUpdate, terminal::DisableLineWrap)?;
        for line in &lines {
            queue!(out, terminal::Clear(terminal::ClearType::UntilNewLine))?;
            writeln!(out, "{line}")?;
        }
        queue!(
            out,
            terminal::Clear(terminal::ClearType::FromCursorDown),
            terminal::EnableLineWrap,
            terminal::EndSynchronizedUpdate
        )?;
        self.height = lines.len().try_into().unwrap_or(u16::MAX);
        out.flush()
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        if self.height > 0 {
            show_cursor();
        }
    }
}

/// An error with its causes; one that a sentence before it has said already is not said again.
pub(super) fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// The lines that a terminal has room for: complaints before what they stand below.
fn fit(frame: &str, complaints: &[String], columns: usize, rows: usize) -> Vec<String> {
    let below: Vec<&str> = complaints.iter().flat_map(|text| text.lines()).take(rows).collect();
    let above = frame.lines().take(rows - below.len());
    above.chain(below).map(|line| cut(line.trim_end(), columns)).collect()
}

/// The line, with `…` in its last column where it is too wide. Colours take no room and all stay.
fn cut(line: &str, columns: usize) -> String {
    let mut colour = false;
    let widths = line.chars().map(|c| {
        let inside = colour || c == '\u{1b}';
        colour = inside && c != 'm';
        (c, (!inside).then(|| c.width().unwrap_or(0)))
    });
    let letters: Vec<(char, Option<usize>)> = widths.collect();
    if letters.iter().filter_map(|(_, width)| *width).sum::<usize>() <= columns {
        return line.to_owned();
    }
    let (mut shown, mut room) = (String::new(), Some(columns.saturating_sub(1)));
    for (c, width) in letters {
        match (width, room) {
            (None, _) => shown.push(c),
            (Some(_), None) => {}
            (Some(width), Some(left)) => {
                room = left.checked_sub(width);
                shown.push(if room.is_some() { c } else { '…' });
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_too_wide_is_cut_where_the_terminal_ends() {
        let cases = [
            ("abcde", 5, "abcde"),
            ("abcdef", 5, "abcd…"),
            ("a\u{1b}[31mbcde\u{1b}[0m", 5, "a\u{1b}[31mbcde\u{1b}[0m"),
            ("a\u{1b}[31mbcdefg\u{1b}[0mh", 5, "a\u{1b}[31mbcd…\u{1b}[0m"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("e\u{301}e\u{301}e", 3, "e\u{301}e\u{301}e"),
            ("ab", 1, "…"),
        ];
        for (line, columns, shown) in cases {
            assert_eq!(cut(line, columns), shown, "{line:?} in {columns}");
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("it cannot be read: {source}")]
        struct Unread {
            source: std::io::Error,
        }
        let source = || std::io::Error::other("no such file");
        let error = anyhow::Error::new(Unread { source: source() }).context("--file a");
        assert_eq!(told(&error), "--file a: it cannot be read: no such file");
        assert_eq!(told(&anyhow::Error::new(source()).context("--file a")), "--file a: no such file");
    }

    #[test]
    fn complaints_stay_where_the_table_has_no_room() {
        let complaints = ["two\nlines".to_owned(), "three".to_owned()];
        assert_eq!(fit("a   \nb\nc\n", &complaints, 3, 5), ["a", "b", "two", "li…", "th…"]);
        assert_eq!(fit("a\n", &complaints, 9, 2), ["two", "lines"]);
        assert_eq!(fit("a\n", &[], 9, 2), ["a"]);
    }
}
