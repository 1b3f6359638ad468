use super::*;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

fn secret(uses: &str, hosts: &str) -> Secret {
    let data = [("username", "reader"), ("password", "hush\n")];
    Secret {
        metadata: ObjectMeta {
            annotations: Some(
                [(SECRET_USE.to_owned(), uses.to_owned()), (SECRET_HOSTS.to_owned(), hosts.to_owned())]
                    .into(),
            ),
            ..ObjectMeta::default()
        },
        data: Some(data.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect()),
        ..Secret::default()
    }
}

fn reason(secret: Option<&Secret>, purpose: &str, url: &str) -> String {
    credential("s", secret, purpose, url).map_or_else(|why| why.reason, |_| "allowed".into())
}

#[test]
fn a_secret_is_sent_only_for_its_use_and_to_its_hosts() {
    let s = secret("git-read, git-write", "git.example, Other.example:8443");
    let cases = [
        ("git-read", "https://git.example/shop.git", "allowed"),
        ("git-write", "http://GIT.example./shop.git", "allowed"),
        ("git-read", "https://git.example:443/shop.git", "allowed"),
        ("git-read", "https://other.example:8443/x", "allowed"),
        ("git-read", "https://someone@git.example/shop.git", "allowed"),
        ("model", "https://git.example/shop.git", reasons::SECRET_NOT_ANNOTATED),
        ("git-read", "https://git.example:8443/shop.git", reasons::SECRET_HOST_NOT_ALLOWED),
        ("git-read", "https://other.example/x", reasons::SECRET_HOST_NOT_ALLOWED),
        ("git-read", "https://git.example.evil/x", reasons::SECRET_HOST_NOT_ALLOWED),
        ("git-read", "https://git.example@evil/x", reasons::SECRET_HOST_NOT_ALLOWED),
        ("git-read", "https://evil/?https://git.example/", reasons::SECRET_HOST_NOT_ALLOWED),
        ("git-read", "https://evil#git.example/x", reasons::SECRET_HOST_NOT_ALLOWED),
        ("git-read", "ssh://git.example/shop.git", reasons::SECRET_HOST_NOT_ALLOWED),
    ];
    for (purpose, url, want) in cases {
        assert_eq!(reason(Some(&s), purpose, url), want, "{purpose} {url}");
    }
}

#[test]
fn the_credential_names_the_one_host_it_is_for() {
    let found = credential(
        "s",
        Some(&secret("git-read", "a.example,git.example:8080")),
        "git-read",
        "http://git.example:8080/x",
    )
    .unwrap();
    assert_eq!((found.username.as_str(), found.password.as_str()), ("reader", "hush"));
    assert_eq!(found.hosts, ["git.example:8080"]);
}

#[test]
fn an_address_of_six_is_a_host_too() {
    let s = secret("git-read", "[fd00::1]:3000,[fd00::2]");
    assert_eq!(reason(Some(&s), "git-read", "http://[fd00::1]:3000/x"), "allowed");
    assert_eq!(reason(Some(&s), "git-read", "http://[FD00::2]/x"), "allowed");
    assert_eq!(reason(Some(&s), "git-read", "http://[fd00::1]/x"), reasons::SECRET_HOST_NOT_ALLOWED);
}

#[test]
fn a_missing_or_malformed_secret_is_named() {
    let url = "https://git.example/x";
    assert_eq!(reason(None, "git-read", url), reasons::SECRET_NOT_FOUND);
    assert_eq!(reason(Some(&Secret::default()), "git-read", url), reasons::SECRET_NOT_ANNOTATED);
    for bad in
        [None, Some(vec![]), Some(vec![0xff]), Some(b"two\nlines".to_vec()), Some(vec![b'x'; MAX_BYTES + 1])]
    {
        let mut s = secret("git-read", "git.example");
        let data = s.data.as_mut().unwrap();
        data.remove("password");
        data.extend(bad.map(|bytes| ("password".to_owned(), ByteString(bytes))));
        assert_eq!(reason(Some(&s), "git-read", url), reasons::SECRET_MALFORMED);
    }
}
