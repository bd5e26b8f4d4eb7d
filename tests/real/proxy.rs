//! What stands between a client and a broker, and can be bad: it passes everything on at once, late, or not at all.
//!
//! Each lives as long as the test process.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// The way to one broker.
pub(crate) struct Proxy {
    listener: Option<TcpListener>,
    /// `host:port` that clients connect to.
    pub(crate) address: String,
    link: Arc<Link>,
}

#[derive(Default)]
struct Link {
    /// Milliseconds that an answer takes longer.
    late: AtomicU64,
    /// Connections taken so far, and how many of them, from the first on, lead nowhere.
    taken: AtomicUsize,
    dead: AtomicUsize,
    /// Pieces that led nowhere.
    lost: AtomicUsize,
}

impl Proxy {
    /// An address that takes connections, and passes nothing on until `lead` is called.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { listener: Some(listener), address, link: Arc::default() }
    }

    /// Leads every connection to a broker.
    pub(crate) fn lead(&mut self, broker: &str) {
        let (listener, broker, link) = (self.listener.take().unwrap(), broker.to_owned(), self.link.clone());
        spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(broker) = TcpStream::connect(&broker) else { continue };
                let number = link.taken.fetch_add(1, Ordering::Relaxed);
                let (asking, answering) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
                let (one, other) = (link.clone(), link.clone());
                spawn(move || pass(client, broker, &one, number, false));
                spawn(move || pass(answering, asking, &other, number, true));
            }
        });
    }

    /// From now on, every answer comes later by this much.
    pub(crate) fn delay(&self, by: Duration) {
        self.link.late.store(by.as_millis().try_into().unwrap(), Ordering::Relaxed);
    }

    /// Makes all connections that there are half-open: they stay, and nothing comes out at the other end. New ones work.
    pub(crate) fn lose_connections(&self) {
        self.link.dead.store(self.link.taken.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// How often something was sent into a half-open connection.
    pub(crate) fn lost(&self) -> usize {
        self.link.lost.load(Ordering::Relaxed)
    }
}

/// Passes on what comes, in its order, each piece when it is due.
fn pass(mut from: TcpStream, mut to: TcpStream, link: &Link, number: usize, answers: bool) {
    let (sender, pieces) = mpsc::channel::<(Instant, Vec<u8>)>();
    let writer = spawn(move || {
        for (due, piece) in pieces {
            sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        to
    });
    let mut buffer = vec![0; 1 << 16];
    let mut dead = false;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        dead |= number < link.dead.load(Ordering::Relaxed);
        if dead {
            link.lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let late = if answers { link.late.load(Ordering::Relaxed) } else { 0 };
        if sender.send((Instant::now() + Duration::from_millis(late), buffer[..count].to_vec())).is_err() {
            break;
        }
    }
    drop(sender);
    if let Ok(to) = writer.join()
        && !dead
    {
        to.shutdown(Shutdown::Both).ok();
    }
}
