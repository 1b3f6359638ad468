//! The database of a configuration: one of its own, brought to this version at the start.

use anyhow::{Context, ensure};
use golden_platform::config::without_password;
use golden_platform::db;
use sqlx::PgPool;

#[derive(sqlx::FromRow)]
struct Seen {
    database: String,
    user: String,
    owns: bool,
    makes_roles: bool,
    has_teams: bool,
}

/// Connects and migrates. A cluster's database is refused before anything is changed in it, and a user who could not
/// migrate learns what is missing.
pub(super) async fn open(url: &str) -> anyhow::Result<PgPool> {
    let shown = without_password(url);
    let pool = db::connect(url, db::POOL_SIZE).context("postgres cannot be read as a URL")?;
    let seen = look(&pool).await.with_context(|| {
        format!(
            "postgres: {shown} does not answer; start it, correct the URL, or make the database with createdb"
        )
    })?;
    let Seen { database, user, owns, makes_roles, has_teams } = seen;
    ensure!(
        !(has_teams && teams(&pool).await?),
        "postgres: database {database} is a cluster's; give this gateway one of its own"
    );
    ensure!(
        owns,
        "postgres: user {user} does not own database {database} and cannot make its tables; connect as its owner, or: \
         ALTER DATABASE {database} OWNER TO {user}"
    );
    // Without the variable that sets a service's password: there is no other service here.
    let migrated = db::migrate_with(url, None).await;
    let hint = if makes_roles {
        String::new()
    } else {
        format!(
            "; user {user} may make no roles, which the first migration does: ALTER ROLE {user} CREATEROLE"
        )
    };
    migrated
        .with_context(|| format!("postgres: database {database} cannot be brought to this version{hint}"))?;
    Ok(pool)
}

async fn look(pool: &PgPool) -> Result<Seen, sqlx::Error> {
    sqlx::query_as(
        "SELECT d.datname::text AS database, r.rolname::text AS user, pg_has_role(d.datdba, 'USAGE') AS owns,
                r.rolsuper OR r.rolcreaterole AS makes_roles, to_regclass('public.teams') IS NOT NULL AS has_teams
         FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user",
    )
    .fetch_one(pool)
    .await
}

async fn teams(pool: &PgPool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM teams)").fetch_one(pool).await
}
