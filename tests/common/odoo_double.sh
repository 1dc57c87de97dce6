#!/bin/sh
# A double of `odoo`, for what the real one cannot be made to do on demand: fail at a chosen place, lie with exit code 0,
# or be quick. It understands the command line of odoo-job and writes tables and lines like Odoo's.
#
# MODE says how it behaves, PSQL and VERSION what it uses and says it is; a wrapper sets them.
set -eu

config='' database='' modules=''
for argument; do
    case $argument in
    --version) echo "Odoo Server $VERSION"; exit 0 ;;
    --config=*) config=${argument#*=} ;;
    --database=*) database=${argument#*=} ;;
    --init=*) modules=${argument#*=} ;;
    --without-demo=* | --stop-after-init | --no-http | --workers=0 | --max-cron-threads=0) ;;
    *) echo "odoo: error: no such option: $argument" >&2; exit 2 ;;
    esac
done

setting() { sed -n "s/^$1 = //p" "$config"; }
log() { echo "2026-11-21 12:00:00,000 1 $1 $database odoo.modules.loading: $2" >&2; }
# As the login of the file; PGOPTIONS of the environment gives it its role.
sql() {
    PGHOST=$(setting db_host) PGPORT=$(setting db_port) PGUSER=$(setting db_user) PGPASSWORD=$(setting db_password) \
        "$PSQL" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$database" >/dev/null
}

major=${VERSION%%.*}
log INFO 'init db'
log INFO 'Loading module base (1/2)'
case $MODE in
silent) exit 0 ;;
killed) kill -KILL $$ ;;
option) echo 'odoo: error: no such option: --no-http' >&2; exit 2 ;;
serverwide) log ERROR 'Failed to load server-wide module `queue_job`.' ;;
locked)
    log CRITICAL "Failed to initialize database \`$database\`."
    echo 'psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout' >&2
    exit 255 ;;
esac

# The name of a file is the SHA-1 of its content.
add_file() {
    name=$(printf %s "$1" | sha1sum | cut -d' ' -f1)
    folder=$(setting data_dir)/filestore/$database/$(printf %.2s "$name")
    mkdir -p "$folder"
    case $MODE in
    # Odoo logs what it cannot write, and goes on.
    nofile) ;;
    *) printf %s "$1" >"$folder/$name" || true ;;
    esac
    echo "INSERT INTO ir_attachment (store_fname, file_size) VALUES ('$(printf %.2s "$name")/$name', ${#1});"
}

{
    echo "CREATE TABLE ir_module_module (name text, state text, latest_version text);
        CREATE TABLE res_users (id serial, login text, password text, totp_secret text);
        CREATE TABLE res_users_apikeys (id serial, key text);
        CREATE TABLE ir_attachment (id serial, store_fname text, file_size integer);
        INSERT INTO res_users (login, password, totp_secret) VALUES ('admin', 'admin', 'secret'), ('nobody', NULL, NULL);
        INSERT INTO res_users_apikeys (key) VALUES ('key');"
    for module in $(echo "base,$modules" | tr , '\n' | sort -u); do
        echo "INSERT INTO ir_module_module VALUES ('$module', 'installed', '$major.0.1.0');"
        add_file "icon of $module"
    done
    echo "INSERT INTO ir_module_module VALUES ('unused', 'uninstalled', NULL);"
    add_file "assets of $modules"
    add_file "logo"
    add_file "logo"
    # What the real one has on these occasions.
    case $MODE in
    inconsistent) echo "UPDATE ir_module_module SET state = 'to upgrade' WHERE name <> 'base';" ;;
    half) echo "INSERT INTO ir_module_module VALUES ('sale', 'to install', NULL);" ;;
    lies | baseonly) echo "DELETE FROM ir_module_module WHERE name <> 'base';" ;;
    older) echo "UPDATE ir_module_module SET latest_version = '18.0.1.0' WHERE name <> 'base';" ;;
    otherbase) echo "UPDATE ir_module_module SET latest_version = '18.0.1.0';" ;;
    uninstallable) echo "UPDATE ir_module_module SET state = 'uninstallable' WHERE name <> 'base';" ;;
    esac
} | sql

case $MODE in
baseonly)
    log INFO 'Loading module web (2/2)'
    sleep 120 ;;
slow)
    log INFO 'Loading module web (2/2)'
    echo 'SELECT pg_sleep(120)' | sql ;;
diskfull)
    # What the real one writes when it is the volume that is full.
    log INFO '_file_write writing'
    echo "OSError: [Errno 28] No space left on device: 'filestore'" >&2 ;;
inconsistent)
    log WARNING 'module web: not installable, skipped'
    log ERROR "Some modules have inconsistent states, some dependencies may be missing: ['web']" ;;
notloaded) log ERROR "Some modules are not loaded, some dependencies or manifest may be missing: ['web']" ;;
unknown)
    log WARNING 'invalid module names, ignored: typo'
    sleep 120 ;;
reset)
    log WARNING 'Transient module states were reset'
    log ERROR 'Failed to load registry'
    log CRITICAL "Failed to initialize database \`$database\`."
    echo 'odoo.tools.convert.ParseError: while parsing web/views/views.xml:3' >&2
    exit 255 ;;
esac
log INFO 'Modules loaded.'
