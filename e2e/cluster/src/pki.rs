//! Certificates of one cluster, made by openssl and kept in one folder.
//!
//! A certificate is made once and kept: kubeconfigs people copied stay valid
//! over restarts. It is made anew when what it must say changes (the node got
//! another address) or when it ends within a month.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run;

const AUTHORITY_DAYS: &str = "3650";
const LEAF_DAYS: &str = "365";
/// Renewed when it ends within this many seconds.
const RENEW_BEFORE: &str = "2592000";

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What a certificate says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
    /// `DNS:…` and `IP:…` entries; with any, the certificate may serve.
    pub(crate) hosts: Vec<String>,
}

impl Subject {
    pub(crate) fn client(name: &str, groups: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            hosts: Vec::new(),
        }
    }

    pub(crate) fn server(name: &str, hosts: Vec<String>) -> Self {
        Self { name: name.to_owned(), groups: Vec::new(), hosts }
    }
}

/// The folder of certificates.
pub(crate) struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Opens the folder; the authorities and the service-account key are made
    /// if they are missing.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        if !run::on_path("openssl") {
            bail!("openssl is not installed: run `apt-get install openssl`");
        }
        let pki = Self { folder: folder.to_owned() };
        // openssl's own defaults would turn every certificate into an authority.
        fs::write(pki.settings(), "[req]\ndistinguished_name = dn\n[dn]\n")?;
        pki.authority("ca", "golden-cluster")?;
        pki.authority("front-proxy-ca", "golden-front-proxy")?;
        pki.service_account_key()?;
        Ok(pki)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// A certificate signed by the authority `ca` or `front-proxy-ca`.
    pub(crate) fn issue(&self, authority: &str, file: &str, subject: &Subject) -> Result<Pair> {
        let pair = self.pair(file);
        let order = self.path(&format!("{file}.order"));
        let wanted = format!("{subject:?}");
        if fs::read_to_string(&order).is_ok_and(|made| made == wanted) && lasting(&pair.certificate) {
            return Ok(pair);
        }
        let signer = self.pair(authority);
        let mut request = self.request(&pair, LEAF_DAYS, &distinguished_name(subject)?);
        request.arg("-CA").arg(&signer.certificate).arg("-CAkey").arg(&signer.key);
        for extension in extensions(subject) {
            request.args(["-addext", &extension]);
        }
        run::run(&mut request).with_context(|| format!("cannot make the certificate of {}", subject.name))?;
        fs::write(&order, wanted)?;
        Ok(pair)
    }

    fn authority(&self, file: &str, name: &str) -> Result<()> {
        let pair = self.pair(file);
        if lasting(&pair.certificate) {
            return Ok(());
        }
        let mut request = self.request(&pair, AUTHORITY_DAYS, &format!("/CN={name}"));
        request.args(["-addext", "basicConstraints=critical,CA:TRUE"]);
        request.args(["-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"]);
        run::run(&mut request).with_context(|| format!("cannot make the authority {name}"))
    }

    fn service_account_key(&self) -> Result<()> {
        let key = self.path("service-accounts.key");
        if key.is_file() {
            return Ok(());
        }
        let mut make = Command::new("openssl");
        make.args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"]).arg(&key);
        run::run(&mut make)?;
        let mut publish = Command::new("openssl");
        publish.args(["pkey", "-pubout", "-in"]).arg(&key).arg("-out").arg(self.path("service-accounts.pub"));
        run::run(&mut publish)
    }

    fn request(&self, pair: &Pair, days: &str, name: &str) -> Command {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]);
        command.arg("-config").arg(self.settings());
        command.args(["-utf8", "-days", days, "-subj", name]);
        command.arg("-keyout").arg(&pair.key).arg("-out").arg(&pair.certificate);
        command
    }

    fn settings(&self) -> PathBuf {
        self.path("openssl.cnf")
    }

    fn pair(&self, file: &str) -> Pair {
        Pair { certificate: self.path(&format!("{file}.crt")), key: self.path(&format!("{file}.key")) }
    }
}

fn lasting(certificate: &Path) -> bool {
    certificate.is_file()
        && run::run(
            Command::new("openssl")
                .args(["x509", "-noout", "-checkend", RENEW_BEFORE, "-in"])
                .arg(certificate),
        )
        .is_ok()
}

/// openssl's `-subj` notation; what it gives a meaning is escaped.
fn distinguished_name(subject: &Subject) -> Result<String> {
    let mut out = String::new();
    let parts = subject.groups.iter().map(|group| ("O", group)).chain([("CN", &subject.name)]);
    for (field, value) in parts {
        if value.is_empty() || value.chars().any(char::is_control) {
            bail!("`{value}` cannot be the name of a user or group");
        }
        out.extend(["/", field, "="]);
        for letter in value.chars() {
            if matches!(letter, '/' | '\\' | '+' | '=') {
                out.push('\\');
            }
            out.push(letter);
        }
    }
    Ok(out)
}

fn extensions(subject: &Subject) -> Vec<String> {
    let mut out = vec![
        "basicConstraints=critical,CA:FALSE".to_owned(),
        "keyUsage=critical,digitalSignature".to_owned(),
    ];
    if subject.hosts.is_empty() {
        out.push("extendedKeyUsage=clientAuth".to_owned());
    } else {
        out.push("extendedKeyUsage=serverAuth,clientAuth".to_owned());
        out.push(format!("subjectAltName={}", subject.hosts.join(",")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_separators_stay_one_name() {
        let subject = Subject::client("a/b", &["team=red", "system:masters"]);
        assert_eq!(distinguished_name(&subject).unwrap(), "/O=team\\=red/O=system:masters/CN=a\\/b");
        assert!(distinguished_name(&Subject::client("", &[])).is_err());
    }

    #[test]
    fn only_certificates_with_hosts_may_serve() {
        let client = extensions(&Subject::client("alice", &[])).join(" ");
        assert!(!client.contains("serverAuth") && !client.contains("subjectAltName"), "{client}");
        let server =
            extensions(&Subject::server("api", vec!["DNS:api".into(), "IP:10.0.0.1".into()])).join(" ");
        assert!(
            server.contains("serverAuth") && server.contains("subjectAltName=DNS:api,IP:10.0.0.1"),
            "{server}"
        );
    }

    #[test]
    fn a_certificate_is_kept_until_what_it_says_changes() {
        let folder = std::env::temp_dir().join(format!("golden-pki-{}", std::process::id()));
        let pki = Pki::open(&folder).unwrap();
        let alice = Subject::client("alice", &["devs", "ops"]);
        let first = fs::read(pki.issue("ca", "alice", &alice).unwrap().certificate).unwrap();
        let again =
            fs::read(Pki::open(&folder).unwrap().issue("ca", "alice", &alice).unwrap().certificate).unwrap();
        let changed = Subject::client("alice", &["devs"]);
        let other = fs::read(pki.issue("ca", "alice", &changed).unwrap().certificate).unwrap();
        let subject = run::output(
            Command::new("openssl").args(["x509", "-noout", "-subject", "-in"]).arg(pki.path("alice.crt")),
        );
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert!(subject.unwrap().contains("O = devs, CN = alice"));
    }
}
