-- What people, groups and own keys need, and the ledger: what is settled once. The ledger's tables refer to no other:
-- they are written without the right to write, by statements of their own.

ALTER TABLE tenants ADD COLUMN enabled BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE tenants ADD COLUMN user_consent_allowed BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE tenants ADD COLUMN own_signing_keys BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE tenant_certificate_authorities (
    tenant_id   TEXT   NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    position    BIGINT NOT NULL,
    certificate BYTEA  NOT NULL,
    PRIMARY KEY (tenant_id, position)
);

-- kind is 'Application' or 'ManagedIdentity'.
ALTER TABLE service_principals ADD COLUMN kind TEXT NOT NULL DEFAULT 'Application';
ALTER TABLE service_principals ADD COLUMN own_signing_key BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX service_principals_of_application ON service_principals (app_id);

-- user_type is 'Member' or 'Guest'.
ALTER TABLE users ADD COLUMN user_type TEXT NOT NULL DEFAULT 'Member';
ALTER TABLE users ADD COLUMN is_administrator BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN password_expired BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN mfa_required BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN blocked_by_policy BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN tokens_valid_from BIGINT NOT NULL DEFAULT 0;

CREATE TABLE directory_groups (
    object_id        TEXT    NOT NULL PRIMARY KEY,
    tenant_id        TEXT    NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    display_name     TEXT    NOT NULL,
    description      TEXT,
    security_enabled BOOLEAN NOT NULL
);
CREATE INDEX directory_groups_of ON directory_groups (tenant_id);

-- member_type is 'ServicePrincipal', 'User' or 'Group', as principal_type of app_role_assignments is from now on.
CREATE TABLE group_members (
    group_id    TEXT NOT NULL REFERENCES directory_groups (object_id) ON DELETE CASCADE,
    member_id   TEXT NOT NULL,
    member_type TEXT NOT NULL,
    PRIMARY KEY (group_id, member_id)
);
CREATE INDEX group_members_by_member ON group_members (member_id);

-- owner of signing_keys is the tenant, 'app:' and the client id, or '' for the keys that everybody shares.

-- Each purpose is a name space of its own.
CREATE TABLE spent (
    purpose    TEXT   NOT NULL,
    digest     BYTEA  NOT NULL,
    keep_until BIGINT NOT NULL,
    PRIMARY KEY (purpose, digest)
);
CREATE INDEX spent_until ON spent (keep_until);

CREATE TABLE refresh_families (
    family_id  TEXT    NOT NULL PRIMARY KEY,
    tenant_id  TEXT    NOT NULL,
    generation BIGINT  NOT NULL,
    ended      BOOLEAN NOT NULL,
    keep_until BIGINT  NOT NULL
);
CREATE INDEX refresh_families_until ON refresh_families (keep_until);

-- status is 'pending', 'approved', 'declined' or 'redeemed'; last_answer is what the last poll was told.
CREATE TABLE device_codes (
    device_digest BYTEA  NOT NULL PRIMARY KEY,
    user_code     TEXT   NOT NULL UNIQUE,
    tenant_id     TEXT,
    client_id     TEXT   NOT NULL,
    request       BYTEA  NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    status        TEXT   NOT NULL,
    decision      BYTEA,
    polled_at     BIGINT,
    last_answer   TEXT   NOT NULL
);
CREATE INDEX device_codes_until ON device_codes (expires_at);

-- next_lock is the length of the next lock, in nanoseconds; locked_until is 0 before the first one.
CREATE TABLE sign_in_failures (
    tenant_id     TEXT   NOT NULL,
    account       BYTEA  NOT NULL,
    failures      BIGINT NOT NULL,
    counted_from  BIGINT NOT NULL,
    locked_until  BIGINT NOT NULL,
    next_lock     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, account)
);
