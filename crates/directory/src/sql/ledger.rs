//! The ledger's statements: each call is one, and each decides within one row, so no database needs a lock for it.
//!
//! What a call answers depends on the row as it was, and `RETURNING` shows the row as it becomes. So an answer that cannot
//! be told from the new row is written into it (`last_answer`).

use std::time::Duration;

use countersign_token::{TenantId, Timestamp};
use uuid::Uuid;

use super::Query;
use super::columns::{Cells, column, parsed, time};
use crate::{
    DeviceCodeRow, DeviceCodeState, DeviceDecision, DevicePoll, DeviceStatus, FamilyRow, Ledger, Lockout, Purpose,
    Record, Rotation, SignInStanding, StoreError,
};

/// What a backend does for the ledger: one statement by itself.
pub(crate) trait Once: Sync {
    type Row: Cells;

    /// Runs one statement, atomic by itself and lasting when this returns. With a NUL in a text it touches nothing.
    fn once(&self, query: Query) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;
}

/// How long something is kept after its end.
const AFTER_ITS_END: Duration = Duration::from_secs(86_400);

/// How long a device code that has expired can still be told so.
const DEVICE_CODE_AFTER_ITS_END: Duration = Duration::from_secs(3600);

const PENDING: &str = "pending";
const APPROVED: &str = "approved";
const DECLINED: &str = "declined";
const REDEEMED: &str = "redeemed";

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

fn read_device_code(row: &impl Cells) -> Result<DeviceCodeState, StoreError> {
    let digest: Vec<u8> = column(row, "device_digest")?;
    let tenant: Option<&str> = column(row, "tenant_id")?;
    Ok(DeviceCodeState {
        row: DeviceCodeRow {
            device_digest: digest
                .try_into()
                .map_err(|_| StoreError::corrupt("a device code's digest has not 32 bytes"))?,
            user_code: column(row, "user_code")?,
            tenant: tenant.map(|_| parsed(row, "tenant_id")).transpose()?,
            client_id: parsed(row, "client_id")?,
            request: column(row, "request")?,
            created: time(row, "created_at")?,
            expires_at: time(row, "expires_at")?,
        },
        status: match column::<&str>(row, "status")? {
            PENDING => DeviceStatus::Pending,
            APPROVED => DeviceStatus::Approved,
            DECLINED => DeviceStatus::Declined,
            REDEEMED => DeviceStatus::Redeemed,
            _ => return Err(StoreError::corrupt("column status does not hold what it should")),
        },
    })
}

fn read_poll(row: &impl Cells) -> Result<DevicePoll, StoreError> {
    Ok(match column::<&str>(row, "last_answer")? {
        PENDING => DevicePoll::Pending,
        "slow_down" => DevicePoll::SlowDown,
        DECLINED => DevicePoll::Declined,
        "expired" => DevicePoll::Expired,
        REDEEMED => DevicePoll::Redeemed,
        APPROVED => DevicePoll::Approved {
            decision: column::<Option<Vec<u8>>>(row, "decision")?.unwrap_or_default(),
            request: column(row, "request")?,
        },
        _ => return Err(StoreError::corrupt("column last_answer does not hold what it should")),
    })
}

fn read_standing(row: Option<&impl Cells>, now: Timestamp) -> Result<SignInStanding, StoreError> {
    let Some(row) = row else { return Ok(SignInStanding::Open) };
    let until = time(row, "locked_until")?;
    Ok(if until > now { SignInStanding::Locked { until } } else { SignInStanding::Open })
}

impl<D: Once> Ledger for D {
    async fn spend(&self, purpose: Purpose, digest: &[u8; 32], until: Timestamp) -> Result<bool, StoreError> {
        let query = Query::new(
            "INSERT INTO spent (purpose, digest, keep_until) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING \
             RETURNING keep_until",
        )
        .bind(purpose.as_str().to_owned())
        .bind(digest.to_vec())
        .bind(until.as_nanos());
        Ok(!self.once(query).await?.is_empty())
    }

    async fn is_spent(&self, purpose: Purpose, digest: &[u8; 32]) -> Result<bool, StoreError> {
        let query = Query::new("SELECT keep_until FROM spent WHERE purpose = $1 AND digest = $2")
            .bind(purpose.as_str().to_owned())
            .bind(digest.to_vec());
        Ok(!self.once(query).await?.is_empty())
    }

    async fn start_family(&self, family: FamilyRow) -> Result<(), StoreError> {
        let query = Query::new(
            "INSERT INTO refresh_families (family_id, tenant_id, generation, ended, keep_until) \
             VALUES ($1, $2, $3, FALSE, $4) ON CONFLICT DO NOTHING RETURNING generation",
        )
        .bind(family.id.to_string())
        .bind(family.tenant.to_string())
        .bind(FamilyRow::FIRST_GENERATION)
        .bind(family.until.as_nanos());
        if self.once(query).await?.is_empty() {
            return Err(StoreError::AlreadyExists(Record::RefreshFamily));
        }
        Ok(())
    }

    async fn rotate_family(&self, id: Uuid, generation: i64, until: Timestamp) -> Result<Rotation, StoreError> {
        // Every right-hand side sees the row as it was.
        let query = Query::new(
            "UPDATE refresh_families SET ended = (generation <> $2), \
             generation = CASE WHEN generation = $2 THEN generation + 1 ELSE generation END, \
             keep_until = CASE WHEN keep_until < $3 THEN $3 ELSE keep_until END \
             WHERE family_id = $1 AND NOT ended RETURNING ended",
        )
        .bind(id.to_string())
        .bind(generation)
        .bind(until.as_nanos());
        match self.once(query).await?.first() {
            None => Ok(Rotation::Ended),
            Some(row) if column(row, "ended")? => Ok(Rotation::Replayed),
            Some(_) => Ok(Rotation::Rotated),
        }
    }

    async fn end_family(&self, id: Uuid) -> Result<bool, StoreError> {
        let query = Query::new(
            "UPDATE refresh_families SET ended = TRUE WHERE family_id = $1 AND NOT ended RETURNING generation",
        )
        .bind(id.to_string());
        Ok(!self.once(query).await?.is_empty())
    }

    async fn insert_device_code(&self, row: &DeviceCodeRow) -> Result<bool, StoreError> {
        let query = Query::new(
            "INSERT INTO device_codes (device_digest, user_code, tenant_id, client_id, request, created_at, expires_at, \
             status, last_answer) VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', 'pending') ON CONFLICT DO NOTHING \
             RETURNING created_at",
        )
        .bind(row.device_digest.to_vec())
        .bind(row.user_code.clone())
        .bind(row.tenant.as_ref().map(TenantId::to_string))
        .bind(row.client_id.to_string())
        .bind(row.request.clone())
        .bind(row.created.as_nanos())
        .bind(row.expires_at.as_nanos());
        Ok(!self.once(query).await?.is_empty())
    }

    async fn device_code_by_user_code(&self, user_code: &str) -> Result<Option<DeviceCodeState>, StoreError> {
        let query = Query::new("SELECT * FROM device_codes WHERE user_code = $1").bind(user_code.to_owned());
        self.once(query).await?.first().map(read_device_code).transpose()
    }

    async fn decide_device_code(
        &self,
        user_code: &str,
        decision: DeviceDecision,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (status, bytes) = match decision {
            DeviceDecision::Approved(bytes) => (APPROVED, bytes),
            DeviceDecision::Declined => (DECLINED, Vec::new()),
        };
        let query = Query::new(
            "UPDATE device_codes SET status = $2, decision = $3 \
             WHERE user_code = $1 AND status = 'pending' AND expires_at > $4 RETURNING created_at",
        )
        .bind(user_code.to_owned())
        .bind(status.to_owned())
        .bind(bytes)
        .bind(now.as_nanos());
        Ok(!self.once(query).await?.is_empty())
    }

    async fn poll_device_code(
        &self,
        device_digest: &[u8; 32],
        now: Timestamp,
        min_interval: Duration,
    ) -> Result<DevicePoll, StoreError> {
        // A clock that was set back must not make a device wait until it has caught up.
        let query = Query::new(
            "UPDATE device_codes SET polled_at = $2, \
             status = CASE WHEN status = 'approved' AND expires_at > $2 THEN 'redeemed' ELSE status END, \
             last_answer = CASE WHEN status = 'redeemed' THEN 'redeemed' WHEN expires_at <= $2 THEN 'expired' \
             WHEN status <> 'pending' THEN status WHEN polled_at > $3 AND polled_at <= $2 THEN 'slow_down' \
             ELSE 'pending' END \
             WHERE device_digest = $1 RETURNING last_answer, decision, request",
        )
        .bind(device_digest.to_vec())
        .bind(now.as_nanos())
        .bind(now.minus(min_interval).as_nanos());
        match self.once(query).await?.first() {
            None => Ok(DevicePoll::Unknown),
            Some(row) => read_poll(row),
        }
    }

    async fn record_sign_in_failure(
        &self,
        tenant: TenantId,
        account: &[u8; 32],
        now: Timestamp,
    ) -> Result<SignInStanding, StoreError> {
        // $3 is now, $4 the window's beginning; a row is fresh again if both its count and its lock are older than that.
        let query = Query::new(
            "INSERT INTO sign_in_failures AS f (tenant_id, account, failures, counted_from, locked_until, next_lock) \
             VALUES ($1, $2, 1, $3, 0, $5) ON CONFLICT (tenant_id, account) DO UPDATE SET \
             failures = CASE WHEN f.locked_until > $3 THEN f.failures \
               WHEN f.counted_from <= $4 AND f.locked_until <= $4 THEN 1 ELSE f.failures + 1 END, \
             counted_from = CASE WHEN f.locked_until <= $3 AND f.counted_from <= $4 AND f.locked_until <= $4 THEN $3 \
               ELSE f.counted_from END, \
             locked_until = CASE WHEN f.locked_until > $3 THEN f.locked_until \
               WHEN f.counted_from <= $4 AND f.locked_until <= $4 THEN 0 \
               WHEN f.failures + 1 >= $6 THEN $3 + f.next_lock ELSE f.locked_until END, \
             next_lock = CASE WHEN f.locked_until > $3 THEN f.next_lock \
               WHEN f.counted_from <= $4 AND f.locked_until <= $4 THEN $5 \
               WHEN f.failures + 1 < $6 THEN f.next_lock WHEN f.next_lock * 2 > $7 THEN $7 ELSE f.next_lock * 2 END \
             RETURNING locked_until",
        )
        .bind(tenant.to_string())
        .bind(account.to_vec())
        .bind(now.as_nanos())
        .bind(now.minus(Lockout::WINDOW).as_nanos())
        .bind(nanos(Lockout::FIRST_LOCK))
        .bind(Lockout::FAILURES)
        .bind(nanos(Lockout::LOCK_AT_MOST));
        read_standing(self.once(query).await?.first(), now)
    }

    async fn sign_in_standing(
        &self,
        tenant: TenantId,
        account: &[u8; 32],
        now: Timestamp,
    ) -> Result<SignInStanding, StoreError> {
        let query = Query::new("SELECT locked_until FROM sign_in_failures WHERE tenant_id = $1 AND account = $2")
            .bind(tenant.to_string())
            .bind(account.to_vec());
        read_standing(self.once(query).await?.first(), now)
    }

    async fn clear_sign_in_failures(&self, tenant: TenantId, account: &[u8; 32]) -> Result<(), StoreError> {
        let query = Query::new("DELETE FROM sign_in_failures WHERE tenant_id = $1 AND account = $2")
            .bind(tenant.to_string())
            .bind(account.to_vec());
        self.once(query).await.map(drop)
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let ended = now.minus(AFTER_ITS_END);
        for statement in
            ["DELETE FROM spent WHERE keep_until < $1", "DELETE FROM refresh_families WHERE keep_until < $1"]
        {
            self.once(Query::new(statement).bind(ended.as_nanos())).await?;
        }
        // Anybody may start a device code flow, so these do not stay for a day.
        let forgotten = now.minus(DEVICE_CODE_AFTER_ITS_END).as_nanos();
        self.once(Query::new("DELETE FROM device_codes WHERE expires_at < $1").bind(forgotten)).await?;
        let query = Query::new("DELETE FROM sign_in_failures WHERE counted_from < $1 AND locked_until < $1")
            .bind(ended.minus(Lockout::WINDOW).as_nanos());
        self.once(query).await.map(drop)
    }
}
