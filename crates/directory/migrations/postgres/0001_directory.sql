-- GUIDs are TEXT, hyphenated and lower case. Times are BIGINT, nanoseconds since 1970. JSON is TEXT: a document is given
-- back as it came. What is sorted by and is no GUID collates as bytes do, whatever the database's locale.

CREATE TABLE tenants (
    tenant_id    TEXT    NOT NULL PRIMARY KEY,
    display_name TEXT    NOT NULL,
    region_scope TEXT    NOT NULL,
    strict       BOOLEAN NOT NULL
);

CREATE TABLE tenant_domains (
    domain_folded TEXT   NOT NULL PRIMARY KEY,
    domain        TEXT   NOT NULL,
    tenant_id     TEXT   NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    position      BIGINT NOT NULL
);
CREATE INDEX tenant_domains_of ON tenant_domains (tenant_id);

CREATE TABLE applications (
    app_id    TEXT NOT NULL PRIMARY KEY,
    object_id TEXT NOT NULL UNIQUE,
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    document  TEXT NOT NULL
);
CREATE INDEX applications_of ON applications (tenant_id);

CREATE TABLE identifier_uris (
    tenant_id TEXT NOT NULL,
    uri       TEXT NOT NULL,
    app_id    TEXT NOT NULL REFERENCES applications (app_id) ON DELETE CASCADE,
    PRIMARY KEY (tenant_id, uri)
);
CREATE INDEX identifier_uris_of ON identifier_uris (app_id);
CREATE INDEX identifier_uris_everywhere ON identifier_uris (uri);

-- No reference to applications: Microsoft Graph is registered in the program, not in a table.
CREATE TABLE service_principals (
    object_id                    TEXT    NOT NULL PRIMARY KEY,
    tenant_id                    TEXT    NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    app_id                       TEXT    NOT NULL,
    display_name                 TEXT    NOT NULL,
    account_enabled              BOOLEAN NOT NULL,
    app_role_assignment_required BOOLEAN NOT NULL,
    UNIQUE (tenant_id, app_id)
);

CREATE TABLE service_principal_names (
    tenant_id            TEXT   NOT NULL,
    name                 TEXT   NOT NULL,
    service_principal_id TEXT   NOT NULL REFERENCES service_principals (object_id) ON DELETE CASCADE,
    position             BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
CREATE INDEX service_principal_names_of ON service_principal_names (service_principal_id);

CREATE TABLE client_secrets (
    key_id       TEXT   NOT NULL,
    app_id       TEXT   NOT NULL REFERENCES applications (app_id) ON DELETE CASCADE,
    display_name TEXT,
    hint         TEXT   NOT NULL,
    starts_at    BIGINT NOT NULL,
    ends_at      BIGINT NOT NULL,
    secret_hash  BYTEA  NOT NULL,
    PRIMARY KEY (app_id, key_id)
);

CREATE TABLE client_certificates (
    key_id       TEXT   NOT NULL,
    app_id       TEXT   NOT NULL REFERENCES applications (app_id) ON DELETE CASCADE,
    display_name TEXT,
    certificate  BYTEA  NOT NULL,
    starts_at    BIGINT NOT NULL,
    ends_at      BIGINT NOT NULL,
    PRIMARY KEY (app_id, key_id)
);

CREATE TABLE federated_credentials (
    credential_id TEXT NOT NULL PRIMARY KEY,
    app_id        TEXT NOT NULL REFERENCES applications (app_id) ON DELETE CASCADE,
    name          TEXT COLLATE "C" NOT NULL,
    issuer        TEXT NOT NULL,
    subject       TEXT NOT NULL,
    audience      TEXT NOT NULL,
    description   TEXT,
    UNIQUE (app_id, name),
    UNIQUE (app_id, issuer, subject)
);

CREATE TABLE users (
    object_id                  TEXT    NOT NULL PRIMARY KEY,
    tenant_id                  TEXT    NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    user_principal_name        TEXT    NOT NULL,
    user_principal_name_folded TEXT COLLATE "C" NOT NULL,
    display_name               TEXT    NOT NULL,
    given_name                 TEXT,
    surname                    TEXT,
    mail                       TEXT,
    account_enabled            BOOLEAN NOT NULL,
    password_hash              TEXT,
    UNIQUE (tenant_id, user_principal_name_folded)
);

-- principal_type is 'ServicePrincipal' or 'User', so the principal cannot be a reference to one table.
CREATE TABLE app_role_assignments (
    assignment_id  TEXT   NOT NULL PRIMARY KEY,
    tenant_id      TEXT   NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    principal_id   TEXT   NOT NULL,
    principal_type TEXT   NOT NULL,
    resource_id    TEXT   NOT NULL REFERENCES service_principals (object_id) ON DELETE CASCADE,
    app_role_id    TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    UNIQUE (principal_id, resource_id, app_role_id)
);
CREATE INDEX app_role_assigned_to ON app_role_assignments (resource_id);

-- user_id is '' for everybody, so that the grant for everybody is unique too.
CREATE TABLE permission_grants (
    grant_id    TEXT NOT NULL PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
    client_id   TEXT NOT NULL REFERENCES service_principals (object_id) ON DELETE CASCADE,
    resource_id TEXT NOT NULL REFERENCES service_principals (object_id) ON DELETE CASCADE,
    user_id     TEXT NOT NULL,
    scope       TEXT NOT NULL,
    UNIQUE (client_id, resource_id, user_id)
);

-- owner is the tenant, or '' for the keys that all tenants share.
CREATE TABLE signing_keys (
    key_id             TEXT   NOT NULL PRIMARY KEY,
    owner              TEXT   NOT NULL,
    generation         BIGINT NOT NULL,
    certificate        BYTEA  NOT NULL,
    sealed_private_key BYTEA  NOT NULL,
    created_at         BIGINT NOT NULL,
    activates_at       BIGINT NOT NULL,
    retires_at         BIGINT,
    UNIQUE (owner, generation)
);

-- One row, one higher with every commit that wrote: how replicas learn of each other's writes.
CREATE TABLE directory_revision (
    value BIGINT NOT NULL
);
INSERT INTO directory_revision (value) VALUES (1);
