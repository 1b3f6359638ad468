//! The apiserver alone: users, admission and restarts are the real ones.

use golden_cluster::{ApiServer, Kubectl};

#[test]
fn users_policies_and_objects_are_real_and_outlive_a_crash() {
    let home = std::env::temp_dir().join(format!("golden-apiserver-{}", std::process::id()));
    let api = ApiServer::start(&home).unwrap();
    let admin = Kubectl::new(api.kubeconfig()).unwrap();

    let alice = Kubectl::new(&api.user_kubeconfig("alice", &["reviewers"]).unwrap()).unwrap();
    let who = alice.run(&["auth", "whoami", "-o", "jsonpath={.status.userInfo}"]).unwrap();
    assert!(who.contains("alice") && who.contains("reviewers"), "{who}");
    let refused = alice.run(&["get", "configmaps"]).unwrap_err().to_string();
    assert!(refused.contains("forbidden"), "{refused}");

    let served = admin.run(&["api-resources", "--api-group=admissionregistration.k8s.io"]).unwrap();
    assert!(served.contains("mutatingadmissionpolicies") && !served.contains("v1beta1"), "{served}");

    admin.run(&["create", "configmap", "kept"]).unwrap();
    api.kill().unwrap();
    api.restart().unwrap();
    admin.run(&["get", "configmap", "kept"]).unwrap();
    drop(api);
    std::fs::remove_dir_all(&home).unwrap();
}
