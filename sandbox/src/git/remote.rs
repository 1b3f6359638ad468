//! Where git may go: addresses it is given, and which credential goes there.

use super::fault::Fault;
use golden_crds::conditions::agent_task as reason;
use golden_platform::wire::Credential;

/// Protocols git may speak. Others run programs (`ext`) or read this machine (`file`).
pub(super) const PROTOCOLS: [&str; 4] = ["http", "https", "git", "ssh"];

/// A repository's address and the credential for it.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub(super) url: String,
    pub(super) credential: Option<Credential>,
}

impl Remote {
    /// Takes an address apart. A credential whose Secret does not name the host is not used: that is a refusal, not
    /// a try without it.
    pub(super) fn new(url: &str, credential: Option<Credential>) -> Result<Self, Fault> {
        let refused =
            |why: &str| Err(Fault::lasting(reason::INVALID_SPEC, format!("git address {url:?} {why}")));
        let Some((scheme, rest)) = url.split_once("://") else {
            return refused("has no protocol; write https://…, http://…, git://… or ssh://…");
        };
        if !PROTOCOLS.contains(&scheme) {
            return refused("has a protocol that is not spoken; http, https, git and ssh are");
        }
        if url.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return refused("holds a space, a backslash or a control character");
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(u, h)| (Some(u), h));
        if host.is_empty() || host.starts_with('-') {
            return refused("has no host");
        }
        if user.is_some_and(|u| scheme != "ssh" || u.contains(':') || u.starts_with('-')) {
            return refused("holds a credential; put it into a Secret");
        }
        if let Some(credential) = &credential
            && !credential.hosts.iter().any(|allowed| allows(allowed, host, scheme))
        {
            let message = format!(
                "the Secret's annotation goldenarch.dev/hosts does not name {host}, so its credential is not sent there"
            );
            return Err(Fault::lasting(reason::SECRET_HOST_NOT_ALLOWED, message));
        }
        Ok(Self { url: url.into(), credential })
    }
}

/// Whether an entry of the annotation names this host: `host` stands for the protocol's own port, `host:port` for
/// that port.
fn allows(allowed: &str, host: &str, scheme: &str) -> bool {
    let port = match scheme {
        "http" => "80",
        "https" => "443",
        "ssh" => "22",
        _ => "9418",
    };
    let whole = |host: &str| {
        let has_port = host.rsplit_once(':').is_some_and(|(_, p)| p.chars().all(|c| c.is_ascii_digit()));
        if has_port { host.to_ascii_lowercase() } else { format!("{}:{port}", host.to_ascii_lowercase()) }
    };
    whole(allowed.trim()) == whole(host)
}

/// A ref or commit as a person wrote it: nothing git takes for an option or a range.
pub(super) fn check_ref(name: &str) -> Result<(), Fault> {
    let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let bad = name.is_empty()
        || name.len() > 255
        || name.starts_with('-')
        || name.contains("..")
        || name.contains("@{")
        || name.chars().any(forbidden);
    if bad {
        return Err(Fault::lasting(reason::INVALID_SPEC, format!("{name:?} is not a branch, tag or commit")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(hosts: &[&str]) -> Credential {
        let hosts = hosts.iter().map(|h| (*h).to_owned()).collect();
        Credential { username: "u".into(), password: "p".into(), hosts }
    }

    #[test]
    fn only_known_protocols_are_spoken() {
        for url in ["https://h/r.git", "http://h:3000/r", "git://h/r", "ssh://git@h/r"] {
            assert!(Remote::new(url, None).is_ok(), "{url}");
        }
        for url in [
            "ext::sh -c id",
            "file:///etc",
            "/etc",
            "-oProxyCommand=x",
            "https://u:p@h/r",
            "ssh://-x/r",
            "https:///r",
            "https://h/a b",
        ] {
            assert_eq!(Remote::new(url, None).unwrap_err().reason, "InvalidSpec", "{url}");
        }
    }

    #[test]
    fn a_credential_goes_only_to_the_hosts_its_secret_names() {
        let to = |url: &str, hosts: &[&str]| Remote::new(url, Some(credential(hosts))).is_ok();
        assert!(to("https://git.example/r", &["other", "git.example"]));
        assert!(to("https://GIT.example:443/r", &["git.example"]));
        assert!(to("http://git.example:3000/r", &["git.example:3000"]));
        for (url, hosts) in [
            ("https://evil.example/r", &["git.example"][..]),
            ("https://git.example.evil/r", &["git.example"]),
            ("http://git.example:3000/r", &["git.example"]),
            ("http://git.example/r", &["git.example:443"]),
            ("https://git.example/r", &[]),
        ] {
            let fault = Remote::new(url, Some(credential(hosts))).unwrap_err();
            assert_eq!(fault.reason, "SecretHostNotAllowed", "{url}");
        }
    }

    #[test]
    fn refs_are_never_options_or_ranges() {
        assert!(["main", "v1.0", "feature/a-b", "0123456789abcdef"].iter().all(|r| check_ref(r).is_ok()));
        assert!(["", "-x", "a..b", "a b", "a^", "a:b", "@{1}", "a\nb"].iter().all(|r| check_ref(r).is_err()));
    }
}
