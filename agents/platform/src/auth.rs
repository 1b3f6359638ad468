//! Who calls: the bearer of a projected service-account token, checked by the apiserver.
//!
//! A pod's token names its pod; it dies with it. Answers are kept at most 60 s, by the token's hash, so that
//! a deleted pod's token is refused within a minute and the apiserver is asked once a minute per caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::request::Parts;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use kube::api::PostParams;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// The audience of every token that Golden's parts show each other.
pub const AUDIENCE: &str = "golden";
/// What pods of attempts and of sandbox runs run as. Nobody but Golden makes a pod of that account: the chart's admission
/// policies see to it, and so whoever is believed to be such a pod must be of it. Labels and names anybody can write.
pub const RUN_ACCOUNT: &str = "golden-run";
/// What fetch and delivery pods run as, in Golden's namespace.
pub const JOB_ACCOUNT: &str = "golden-job";
/// How long a verdict of the apiserver is believed.
const KEEP: Duration = Duration::from_mins(1);
const MOST_KEPT: usize = 4096;
/// Reviews under way at once: junk tokens must not turn this service into a flood on the apiserver.
const REVIEWS: usize = 8;
const REVIEW: Duration = Duration::from_secs(5);
/// Projected tokens have about one KiB.
const MAX_TOKEN: usize = 16 << 10;

/// Why a caller is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("show a service-account token of audience `golden` as `Authorization: Bearer …`")]
    Missing,
    #[error("the token is not valid for audience `golden`: {0}")]
    Refused(String),
    #[error("{0} is not a service account; only pods and services of this cluster call here")]
    NotAServiceAccount(String),
    #[error("the token cannot be checked now: {0}")]
    Unavailable(String),
}

impl From<Error> for crate::http::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Missing | Error::Refused(_) => Self::unauthorized(message),
            Error::NotAServiceAccount(_) => Self::forbidden(message),
            Error::Unavailable(_) => Self::unavailable(message),
        }
    }
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `system:serviceaccount:<namespace>:<name>`.
    pub username: String,
    pub namespace: String,
    pub service_account: String,
    /// Of tokens bound to a pod: which.
    pub pod_name: Option<String>,
    pub pod_uid: Option<Uuid>,
}

impl Caller {
    /// A caller without a pod, for tests and fixed verifiers.
    pub fn service(namespace: &str, service_account: &str) -> Self {
        Self {
            username: format!("system:serviceaccount:{namespace}:{service_account}"),
            namespace: namespace.to_owned(),
            service_account: service_account.to_owned(),
            pod_name: None,
            pod_uid: None,
        }
    }

    /// The same, bound to a pod.
    #[must_use]
    pub fn in_pod(mut self, name: &str, uid: Uuid) -> Self {
        self.pod_name = Some(name.to_owned());
        self.pod_uid = Some(uid);
        self
    }

    /// The pod that calls, if it runs as `account`; one of another account was made by somebody else.
    pub fn pod_of(&self, account: &str) -> Option<Uuid> {
        self.pod_uid.filter(|_| self.service_account == account)
    }

    /// Whether this is that service account.
    pub fn is(&self, namespace: &str, service_account: &str) -> bool {
        self.namespace == namespace && self.service_account == service_account
    }
}

/// Checks tokens. The real one asks the apiserver; tests fix one.
pub trait Verifier: Send + Sync {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Error>>;
}

/// Knows a fixed set of tokens.
pub struct Fixed(pub HashMap<String, Caller>);

impl Verifier for Fixed {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Error>> {
        let known = self.0.get(token).cloned().ok_or_else(|| Error::Refused("unknown token".to_owned()));
        Box::pin(std::future::ready(known))
    }
}

/// Asks the apiserver by TokenReview.
struct Reviewer {
    client: kube::Client,
    running: Semaphore,
}

impl Verifier for Reviewer {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Error>> {
        Box::pin(async move {
            let asking = async {
                let _slot = self.running.acquire().await.map_err(|e| Error::Unavailable(e.to_string()))?;
                let review = TokenReview {
                    spec: TokenReviewSpec {
                        token: Some(token.to_owned()),
                        audiences: Some(vec![AUDIENCE.to_owned()]),
                    },
                    ..TokenReview::default()
                };
                kube::Api::all(self.client.clone())
                    .create(&PostParams::default(), &review)
                    .await
                    .map_err(|e| Error::Unavailable(e.to_string()))
            };
            let review = tokio::time::timeout(REVIEW, asking)
                .await
                .map_err(|_| Error::Unavailable("the apiserver did not answer in time".to_owned()))??;
            caller(review)
        })
    }
}

/// The caller of a reviewed token.
fn caller(review: TokenReview) -> Result<Caller, Error> {
    let status = review.status.unwrap_or_default();
    if status.authenticated != Some(true) {
        return Err(Error::Refused(status.error.unwrap_or_else(|| "not authenticated".to_owned())));
    }
    if !status.audiences.unwrap_or_default().iter().any(|a| a == AUDIENCE) {
        return Err(Error::Refused("it is meant for others".to_owned()));
    }
    let user = status.user.unwrap_or_default();
    let username = user.username.clone().unwrap_or_default();
    let Some((namespace, service_account)) =
        username.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
    else {
        return Err(Error::NotAServiceAccount(username));
    };
    Ok(Caller {
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
        pod_name: extra(&user, "authentication.kubernetes.io/pod-name"),
        pod_uid: extra(&user, "authentication.kubernetes.io/pod-uid").and_then(|uid| uid.parse().ok()),
        username,
    })
}

fn extra(user: &UserInfo, key: &str) -> Option<String> {
    user.extra.as_ref()?.get(key)?.first().cloned()
}

/// Good answers by the token's hash, with the time they were given.
type Kept = HashMap<[u8; 32], (Instant, Caller)>;

/// The verifier with its memory.
#[derive(Clone)]
pub struct Authenticator {
    verifier: Arc<dyn Verifier>,
    kept: Arc<Mutex<Kept>>,
}

impl Authenticator {
    pub fn new(verifier: impl Verifier + 'static) -> Self {
        Self { verifier: Arc::new(verifier), kept: Arc::default() }
    }

    /// Asks the apiserver behind `client`.
    pub fn kubernetes(client: kube::Client) -> Self {
        Self::new(Reviewer { client, running: Semaphore::new(REVIEWS) })
    }

    /// Who the bearer of a token is. Only good answers are remembered.
    pub async fn check(&self, token: &str) -> Result<Caller, Error> {
        if token.is_empty() || token.len() > MAX_TOKEN {
            return Err(Error::Missing);
        }
        let key: [u8; 32] = Sha256::digest(token).into();
        if let Some(caller) = self.remembered(&key, Instant::now()) {
            return Ok(caller);
        }
        let caller = self.verifier.verify(token).await?;
        self.remember(key, Instant::now(), caller.clone());
        Ok(caller)
    }

    /// Who sent a request with these headers.
    pub async fn check_headers(&self, headers: &http::HeaderMap) -> Result<Caller, Error> {
        let bearer = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| {
            let (scheme, token) = v.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        self.check(bearer.ok_or(Error::Missing)?).await
    }

    fn remembered(&self, key: &[u8; 32], now: Instant) -> Option<Caller> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(at, _)| now.saturating_duration_since(*at) < KEEP).map(|(_, c)| c.clone())
    }

    fn remember(&self, key: [u8; 32], now: Instant, caller: Caller) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, (at, _)| now.saturating_duration_since(*at) < KEEP);
        }
        if kept.len() < MOST_KEPT {
            kept.insert(key, (now, caller));
        }
    }
}

/// Lets only authenticated callers through to `router`; its handlers take a [`Caller`].
pub fn protect(router: Router, authenticator: Authenticator) -> Router {
    router.layer(axum::middleware::from_fn_with_state(authenticator, authenticate))
}

async fn authenticate(State(by): State<Authenticator>, mut request: Request, next: Next) -> Response {
    match by.check_headers(request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(e) => crate::http::Error::from(e).into_response(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = crate::http::Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // A route outside `protect` is a fault of ours: closed, not open.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::Missing.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::authentication::v1::TokenReviewStatus;

    fn review(username: &str, audiences: &[&str]) -> TokenReview {
        let pod_uid = ["3f2a9c1d-0000-4000-8000-000000000001".to_owned()].to_vec();
        let user = UserInfo {
            username: Some(username.to_owned()),
            extra: Some([("authentication.kubernetes.io/pod-uid".to_owned(), pod_uid)].into()),
            ..UserInfo::default()
        };
        TokenReview {
            status: Some(TokenReviewStatus {
                authenticated: Some(true),
                audiences: Some(audiences.iter().map(|a| (*a).to_owned()).collect()),
                user: Some(user),
                error: None,
            }),
            ..TokenReview::default()
        }
    }

    #[test]
    fn a_pods_token_names_its_pod() {
        let found = caller(review("system:serviceaccount:shop:golden-run", &["golden"])).unwrap();
        assert!(found.is("shop", "golden-run"));
        assert_eq!(found.pod_uid.unwrap().to_string(), "3f2a9c1d-0000-4000-8000-000000000001");
    }

    #[test]
    fn people_and_tokens_for_others_are_refused() {
        assert!(matches!(caller(review("alice", &["golden"])), Err(Error::NotAServiceAccount(_))));
        let other = caller(review("system:serviceaccount:a:b", &["https://kubernetes.default.svc"]));
        assert!(matches!(other, Err(Error::Refused(_))));
        assert!(matches!(caller(TokenReview::default()), Err(Error::Refused(_))));
    }

    #[test]
    fn an_answer_is_believed_for_a_minute_and_no_longer() {
        let by = Authenticator::new(Fixed(HashMap::new()));
        let start = Instant::now();
        by.remember([1; 32], start, Caller::service("a", "b"));
        assert!(by.remembered(&[1; 32], start + Duration::from_secs(59)).is_some());
        assert!(by.remembered(&[1; 32], start + Duration::from_mins(1)).is_none());
        assert!(by.remembered(&[2; 32], start).is_none());
    }
}
