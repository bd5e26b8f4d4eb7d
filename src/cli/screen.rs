//! The terminal: text out, errors out, and a frame that is redrawn in place.

use std::io::{self, IsTerminal, Write};

use crossterm::{cursor, execute, queue, terminal};

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

/// Frames redrawn in place on a terminal; printed one after another elsewhere.
#[derive(Debug, Default)]
pub(super) struct Frames {
    height: u16,
}

impl Frames {
    /// Draws the next frame over the last one. A frame higher than the terminal loses its end.
    ///
    /// # Errors
    /// Those of standard output.
    pub(super) fn draw(&mut self, frame: &str) -> io::Result<()> {
        if !is_terminal() {
            return print(frame);
        }
        let (_, rows) = terminal::size()?;
        let lines: Vec<&str> = frame.lines().take(rows.saturating_sub(1).into()).collect();
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
