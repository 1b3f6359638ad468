//! The promises tests of other crates build on.

use golden_cluster::services::{Nats, Postgres, Redis};

#[test]
fn postgres_keeps_committed_rows_through_a_kill_and_a_restart() {
    let postgres = Postgres::start().unwrap();
    let first = postgres.create_database().unwrap();
    let second = postgres.create_database().unwrap();
    assert_ne!(first, second);
    postgres.execute("create table kept (n int); insert into kept values (42)").unwrap();
    postgres.kill().unwrap();
    assert!(postgres.execute("select 1").is_err(), "a killed server must not answer");
    postgres.restart().unwrap();
    assert_eq!(postgres.execute("select n from kept").unwrap().trim(), "42");
}

#[test]
fn a_dropped_server_leaves_no_process_and_no_folder() {
    let redis = Redis::start().unwrap();
    let (pid, log) = (redis.pid().unwrap(), redis.log());
    assert!(log.exists());
    drop(redis);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(!log.parent().unwrap().exists());
}

#[test]
fn redis_restarts_on_the_same_port() {
    let redis = Redis::start().unwrap();
    let (url, pid) = (redis.url(), redis.pid());
    redis.restart().unwrap();
    assert_eq!(redis.url(), url);
    assert_ne!(redis.pid(), pid);
}

#[test]
fn nats_serves_and_restarts() {
    let nats = Nats::start_with_jetstream("", "sync_interval: always").unwrap();
    nats.kill().unwrap();
    assert_eq!(nats.pid(), None);
    nats.restart().unwrap();
    assert!(nats.pid().is_some());
}
