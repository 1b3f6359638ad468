//! A team's streams: made, repaired, and never emptied by it.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::RetentionPolicy;
use golden_platform::streams::Retired;
use golden_platform::{nats, streams, subjects};
use uuid::Uuid;

use crate::support::{envelope, team};

#[tokio::test]
async fn streams_are_made_once() {
    let (js, team) = team().await;
    assert_eq!(streams::ensure(&js, team).await.unwrap(), Vec::<String>::new());
    for name in [subjects::prc_stream(team), subjects::escalations_stream(team), subjects::dlq_stream(team)] {
        let stream = js.get_stream(&name).await.unwrap();
        assert_eq!(stream.cached_info().config.retention, RetentionPolicy::WorkQueue);
        assert_eq!(stream.cached_info().config.duplicate_window, Duration::from_mins(10));
    }
    let peer = js.get_stream(subjects::prc_stream(team)).await.unwrap();
    let config = peer.consumer_info(subjects::PEER_HUB).await.unwrap().config;
    assert_eq!((config.max_deliver, config.ack_wait), (5, Duration::from_mins(1)));
}

#[tokio::test]
async fn drift_is_repaired_and_messages_stay() {
    let (js, team) = team().await;
    nats::publish(&js, &envelope(team, "kept"), &subjects::escalation(team)).await.unwrap();
    let name = subjects::escalations_stream(team);
    let mut config = js.get_stream(&name).await.unwrap().cached_info().config.clone();
    config.subjects.push(format!("{}.more", subjects::escalation(team)));
    config.duplicate_window = Duration::from_secs(1);
    config.max_bytes = 1 << 20;
    js.update_stream(&config).await.unwrap();
    let stream = js.get_stream(&name).await.unwrap();
    let wrong = pull::Config {
        durable_name: Some(subjects::SUPERVISOR.into()),
        ack_policy: AckPolicy::Explicit,
        max_deliver: 99,
        filter_subject: subjects::escalation(team),
        ..Default::default()
    };
    stream.create_consumer(wrong).await.unwrap();
    let changes = streams::ensure(&js, team).await.unwrap();
    assert_eq!(changes.len(), 2, "{changes:?}");
    let stream = js.get_stream(&name).await.unwrap();
    let info = stream.cached_info();
    assert_eq!(info.config.subjects, [subjects::escalation(team)]);
    assert_eq!(info.config.duplicate_window, Duration::from_mins(10));
    assert_eq!(info.config.max_bytes, 1 << 20, "what others tuned stays");
    assert_eq!(info.state.messages, 1);
    assert_eq!(stream.consumer_info(subjects::SUPERVISOR).await.unwrap().config.max_deliver, 5);
    assert_eq!(streams::ensure(&js, team).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_stream_that_holds_messages_outlives_its_team_and_says_until_when() {
    let (js, team) = team().await;
    nats::publish(&js, &envelope(team, "kept"), &subjects::escalation(team)).await.unwrap();
    let (full, empty) = (subjects::escalations_stream(team), subjects::prc_stream(team));
    let until = "2030-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(streams::retire(&js, &empty, until).await.unwrap(), Retired::Gone);
    assert!(js.get_stream(&empty).await.is_err());
    assert_eq!(streams::retire(&js, &full, until).await.unwrap(), Retired::Kept(1));
    // Ended again, later: the first word counts.
    let later = "2031-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(streams::retire(&js, &full, later).await.unwrap(), Retired::Kept(1));
    let kept = js.get_stream(&full).await.unwrap();
    assert_eq!(kept.cached_info().config.metadata[streams::RETAIN_UNTIL], "2030-01-01T00:00:00Z");
    assert_eq!(kept.cached_info().state.messages, 1);
    assert_eq!(streams::retire(&js, &empty, until).await.unwrap(), Retired::Gone);
}

#[tokio::test]
async fn a_message_published_twice_is_one() {
    let (js, team) = team().await;
    let message = envelope(team, "once");
    assert!(nats::publish(&js, &message, &subjects::escalation(team)).await.unwrap());
    assert!(!nats::publish(&js, &message, &subjects::escalation(team)).await.unwrap());
    let stream = js.get_stream(subjects::escalations_stream(team)).await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 1);
}

#[tokio::test]
async fn a_publish_without_a_stream_and_one_too_large_are_told_apart() {
    let (js, _) = team().await;
    let stranger = Uuid::new_v4();
    let lost = nats::publish(&js, &envelope(stranger, "x"), &subjects::escalation(stranger)).await;
    assert!(matches!(lost, Err(nats::Error::NoStream { .. })), "{lost:?}");
    let large = vec![b'x'; 9 << 20].into();
    let refused = nats::publish_bytes(&js, &subjects::escalation(stranger), "y", large).await;
    assert!(matches!(refused, Err(nats::Error::TooLarge { .. })), "{refused:?}");
}
