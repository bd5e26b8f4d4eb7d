//! The files of the page, written by `page/build.mjs` with the bundle beside it. Leaves serving them to `page.rs`.

/// One file: the name that it is served under, its media type, and its bytes.
pub(super) type File = (&'static str, &'static str, &'static [u8]);

pub(super) const INDEX: &str = include_str!("index.html");

/// Changes with every byte of the index.
pub(super) const INDEX_ETAG: &str = "\"c43c9f09c3ef\"";

pub(super) const FILES: [File; 5] = [
    ("app-4adebc4937b5.css", "text/css; charset=utf-8", include_bytes!("app.css")),
    ("app-e7be744e8f30.js", "text/javascript; charset=utf-8", include_bytes!("app.js")),
    ("icon-0788c3c48b53.svg", "image/svg+xml", include_bytes!("icon.svg")),
    ("licences.txt", "text/plain; charset=utf-8", include_bytes!("licences.txt")),
    ("theme-ba5e80201786.js", "text/javascript; charset=utf-8", include_bytes!("theme.js")),
];
