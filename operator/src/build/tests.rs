//! What tests of builders and controllers share.

use crate::settings::Settings;
use golden_crds::agent_team::ModelRef;

pub(crate) fn settings() -> Settings {
    Settings {
        namespace: "golden-system".into(),
        image: "golden:test".into(),
        git_image: "golden-git:test".into(),
        image_pull_policy: "IfNotPresent".into(),
        image_pull_secrets: vec!["registry".into()],
        gateway_url: "http://golden-gateway.golden-system:8080".into(),
        ledger_url: "http://golden-ledger.golden-system:8080".into(),
        stores_secret: "golden-stores".into(),
        default_model: ModelRef { provider: "default".into(), model: "m".into() },
    }
}
