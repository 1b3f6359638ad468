//! What the demo sees of a cluster before it begins, on a real apiserver.

use crate::installed;
use golden_cluster::{Kubectl, tools};
use golden_scenarios::fit::Fit;
use golden_scenarios::preflight::{GVISOR, look};
use golden_scenarios::tools::Tools;

#[test]
fn a_bare_apiserver_is_seen_as_it_is_and_what_is_made_there_is_not_missed_again() {
    let server = &installed().server;
    let tools = Tools {
        kubectl: tools::program("kubernetes", "kubectl").expect("kubectl"),
        helm: tools::program("helm", "helm").expect("helm"),
        golden: "golden".into(),
        kubeconfig: Some(server.kubeconfig().to_owned()),
        context: None,
        audit_log: None,
        fit: Fit::default(),
    };
    let bare = look(&tools).expect("it answers");
    assert!(bare.version.starts_with("v1.") && bare.stamps() && !bare.user.is_empty(), "{bare:?}");
    let missing = bare.lacks(GVISOR);
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing[0].contains("RuntimeClass") && missing[1].contains("StorageClass"), "{missing:?}");

    let kubectl = Kubectl::new(server.kubeconfig()).expect("kubectl");
    for object in [
        r#"{"apiVersion":"node.k8s.io/v1","kind":"RuntimeClass","metadata":{"name":"gvisor"},"handler":"runsc"}"#,
        r#"{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","provisioner":"example/none","metadata":{"name":"local",
            "annotations":{"storageclass.kubernetes.io/is-default-class":"true"}}}"#,
    ] {
        kubectl.apply(object).expect("accepted");
    }
    let whole = look(&tools).expect("it answers");
    assert!(whole.lacks(GVISOR).is_empty(), "{:?}", whole.lacks(GVISOR));
}
