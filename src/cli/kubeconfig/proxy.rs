//! Through which proxy an API server is asked, as `kubectl` has it: that of the kubeconfig, else `HTTPS_PROXY` where
//! `NO_PROXY` does not name the server.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

use crate::cli::Usage;

/// The proxy, if there is one. What is refused is not shown, for it may hold a password.
pub(super) fn of(
    server: &Uri,
    written: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<Uri>, Usage> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let either = |name: &str| set(name).or_else(|| set(&name.to_lowercase()));
    if let Some(url) = written {
        return parsed(url).map(Some).ok_or_else(|| refused("proxy-url in the kubeconfig"));
    }
    match either("HTTPS_PROXY") {
        Some(url) if !goes_without(server, &either("NO_PROXY").unwrap_or_default()) => {
            parsed(&url).map(Some).ok_or_else(|| refused("HTTPS_PROXY"))
        }
        _ => Ok(None),
    }
}

fn refused(whence: &str) -> Usage {
    Usage(format!("{whence}: write http://host:port or https://host:port; other proxies can't be used"))
}

fn parsed(url: &str) -> Option<Uri> {
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let url: Uri = url.parse().ok()?;
    (matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty()))
        .then_some(url)
}

/// Whether `NO_PROXY` names the server: by a host, which stands for what is below it, too; by `.domain` or `*.domain`, for
/// what is below alone; by an address or a network; or by `*`. A port narrows it. What is on this machine needs no name.
fn goes_without(server: &Uri, no_proxy: &str) -> bool {
    let host = bare(server.host().unwrap_or_default()).to_lowercase();
    let port = server.port_u16().unwrap_or(443).to_string();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    let no_proxy = no_proxy.to_lowercase();
    no_proxy.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if let Ok(network) = entry.parse::<IpNet>() {
            return address.is_some_and(|address| network.contains(&address));
        }
        let (name, wanted) = match entry.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => (bare(name), Some(port)),
            _ => (bare(entry), None),
        };
        let is_below = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        let fits = match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
            Some(domain) => is_below(domain),
            None if address.is_some() => name.parse().ok() == address,
            None => host == name || is_below(name),
        };
        entry == "*" || fits && wanted.is_none_or(|wanted| wanted == port)
    })
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server(url: &str) -> Uri {
        url.parse().unwrap()
    }

    #[test]
    fn no_proxy_names_servers_as_it_does_for_kubectl() {
        for (no_proxy, url, fits) in [
            ("", "https://api.example.org", false),
            ("*", "https://api.example.org", true),
            ("example.org", "https://example.org", true),
            ("example.org", "https://api.Example.org:6443", true),
            ("example.org", "https://notexample.org", false),
            (".example.org", "https://api.example.org", true),
            ("*.example.org", "https://api.example.org", true),
            (".example.org", "https://example.org", false),
            ("a, ,EXAMPLE.org,", "https://api.example.org", true),
            ("example.org:443", "https://api.example.org", true),
            ("example.org:6443", "https://api.example.org", false),
            ("10.0.0.0/8", "https://10.1.2.3:6443", true),
            ("10.0.0.0/8", "https://11.1.2.3:6443", false),
            ("10.0.0.0/8", "https://10.example.org", false),
            ("10.1.2.3", "https://10.1.2.3:6443", true),
            ("10.1.2.3:6443", "https://10.1.2.3:6443", true),
            ("2.3", "https://10.1.2.3", false),
            ("fd00::/8", "https://[fd00::1]:6443", true),
            ("fd00::1", "https://[fd00::1]:6443", true),
            ("[fd00::1]:443", "https://[fd00::1]:6443", false),
            ("", "https://localhost:6443", true),
            ("", "https://127.0.0.1:6443", true),
            ("", "https://[::1]:6443", true),
        ] {
            assert_eq!(goes_without(&server(url), no_proxy), fits, "NO_PROXY={no_proxy} {url}");
        }
    }

    #[test]
    fn what_is_written_counts_before_the_environment_and_whatever_goes_without() {
        let far = server("https://10.1.2.3:6443");
        let of = |written: Option<&str>, set: &[(&str, &str)]| {
            let value = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
            of(&far, written, value).unwrap().map(|url| url.to_string())
        };
        let [here, there] = ["http://here:3128/", "https://there:3129/"].map(|url| Some(url.to_owned()));
        assert_eq!(of(None, &[]), None);
        assert_eq!(of(None, &[("HTTPS_PROXY", ""), ("https_proxy", "here:3128")]), here);
        assert_eq!(of(None, &[("HTTPS_PROXY", "http://here:3128"), ("no_proxy", "10.0.0.0/8")]), None);
        // The proxy's own address is in the same network, the server's is not.
        assert_eq!(of(None, &[("HTTPS_PROXY", "http://here:3128"), ("NO_PROXY", "11.0.0.0/8,here")]), here);
        assert_eq!(of(Some("https://there:3129"), &[("HTTPS_PROXY", "here:3128"), ("NO_PROXY", "*")]), there);
    }

    #[test]
    fn a_proxy_of_another_kind_is_refused_without_its_password() {
        let far = server("https://10.1.2.3:6443");
        for bad in
            ["socks5://user:secret@here:1080", "ftp://user:secret@here", "http://user:secret@", "user:secret@h e"]
        {
            let environment = |name: &str| (name == "HTTPS_PROXY").then(|| bad.to_owned());
            for told in [of(&far, Some(bad), |_| None), of(&far, None, environment)] {
                let told = told.unwrap_err().to_string();
                assert!(told.contains("write http://host:port") && !told.contains("secret"), "{told}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_proxy_is_one_over_http_or_refused(
            url in "(https?://)?([a-z]|[0-9]|[.:/@%?#]|\\[|\\]|\\PC){0,16}",
            no_proxy in "([a-z]|[0-9]|[.:/*, ]|\\[|\\]|10\\.0\\.0\\.0/|fd00::|\\PC){0,12}",
        ) {
            for far in ["https://api.example.org", "https://10.1.2.3:6443", "https://[fd00::1]:6443"].map(server) {
                let environment = |name: &str| {
                    let value = if name == "NO_PROXY" { &no_proxy } else { &url };
                    Some(value.clone())
                };
                for proxy in [of(&far, Some(url.as_str()), |_| None), of(&far, None, environment)] {
                    let kind = proxy.ok().flatten().map(|proxy| proxy.scheme_str().map(str::to_owned));
                    prop_assert!(kind.is_none_or(|kind| matches!(kind.as_deref(), Some("http" | "https"))));
                }
            }
        }

        #[test]
        fn a_server_that_is_named_anywhere_goes_without(
            before in "([a-z]|[0-9]|[.:/*, ]|\\[|\\]|\\PC){0,12}",
            host in "[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\\.[a-z]{1,5}){0,2}",
        ) {
            let far = server(&format!("https://{host}:6443"));
            for name in [host.clone(), host.to_uppercase(), format!("{host}:6443")] {
                prop_assert!(goes_without(&far, &format!("{before}, {name} ,")), "{name}");
            }
        }
    }
}
