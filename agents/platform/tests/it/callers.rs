//! Tokens of a real apiserver.

use golden_cluster::{ApiServer, Kubectl};
use golden_platform::auth::{Authenticator, Error};
use kube::config::KubeConfigOptions;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_our_audience_names_its_service_account_and_no_other_token_does() {
    golden_platform::init_crypto();
    let home = tempfile::tempdir().unwrap();
    let api = ApiServer::start(home.path()).unwrap();
    let admin = Kubectl::new(api.kubeconfig()).unwrap();
    admin.run(&["create", "namespace", "shop"]).unwrap();
    admin.run(&["create", "serviceaccount", "golden-run", "-n", "shop"]).unwrap();
    let token = |audience: &str| {
        let arg = format!("--audience={audience}");
        admin.run(&["create", "token", "golden-run", "-n", "shop", &arg]).unwrap().trim().to_owned()
    };
    let config = kube::config::Kubeconfig::read_from(api.kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    let by = Authenticator::kubernetes(kube::Client::try_from(config).unwrap());

    let caller = by.check(&token("golden")).await.unwrap();
    assert!(caller.is("shop", "golden-run"), "{caller:?}");
    assert_eq!(caller.pod_uid, None);
    assert!(matches!(by.check(&token("others")).await, Err(Error::Refused(_))));
    assert!(matches!(by.check("not.a.token").await, Err(Error::Refused(_))));
    let kept = token("golden");
    by.check(&kept).await.unwrap();
    api.kill().unwrap();
    assert!(by.check(&kept).await.is_ok(), "known for a minute");
    assert!(matches!(by.check(&format!("{kept}x")).await, Err(Error::Unavailable(_))));
}
