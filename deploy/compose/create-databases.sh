#!/bin/sh
# Makes a database, with an owner of its own, for each part that keeps one. PostgreSQL's image runs this once, when its
# volume is new; run by hand, it makes what is missing and sets the passwords anew.
set -eu

create() {
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
        --set name="$1" --set password="$2" <<'SQL'
SELECT format('CREATE ROLE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" LOGIN PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'name') \gexec
SQL
}

create backend "$BACKEND_DB_PASSWORD"
create mlflow "$MLFLOW_DB_PASSWORD"
create label_studio "$LABEL_STUDIO_DB_PASSWORD"
