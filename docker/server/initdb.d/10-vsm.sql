-- 10-vsm.sql: the extension and its roles in a new database, as doc/rest.md has them
--
-- vsm_authenticator (the login of gateway and PostgREST) and vsm_grafana (a reader) can log in only if they are given
-- passwords, by VSM_AUTHENTICATOR_PASSWORD and VSM_GRAFANA_PASSWORD.

\getenv authenticator_password VSM_AUTHENTICATOR_PASSWORD
\getenv grafana_password VSM_GRAFANA_PASSWORD

CREATE EXTENSION vsm;

CREATE ROLE vsm_reader;
CREATE ROLE vsm_writer;
CREATE ROLE vsm_admin;
SELECT vsm.grant_access('vsm_reader', 'reader'), vsm.grant_access('vsm_writer', 'writer'), vsm.grant_access('vsm_admin', 'admin') \g /dev/null

-- The default stream, which the gateway has no right to create.
SELECT vsm_api.prepare() \g /dev/null

CREATE ROLE vsm_authenticator LOGIN NOINHERIT;
GRANT vsm_reader, vsm_writer, vsm_admin TO vsm_authenticator;
CREATE ROLE vsm_grafana LOGIN IN ROLE vsm_reader;
ALTER ROLE vsm_grafana SET default_transaction_read_only = on;
ALTER ROLE vsm_grafana SET statement_timeout = '30s';

SELECT :{?authenticator_password} AS given \gset
\if :given
ALTER ROLE vsm_authenticator PASSWORD :'authenticator_password';
\endif
SELECT :{?grafana_password} AS given \gset
\if :given
ALTER ROLE vsm_grafana PASSWORD :'grafana_password';
\endif
