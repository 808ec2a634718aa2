# demo     the story of the README on two real disks, in a directory of its own
# test     all tests, against the real qemu programs; a sample of the longest suites
# crash    the long form of the tests of crashes, and its table
# fuzz     content from outside against the fuzzers, SECONDS in all (300)
# fuzz-coverage  what the fuzzers' inputs reach
# check    what to run before handing over: lint, imports, all tests whole, threads, documentation,
#          release
# qemu10   the newer QEMU of Debian's backports for the tests, under .build
# install  program, shell completions and systemd units, to $(DESTDIR)$(PREFIX)

PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
JOBS ?= 2
export SWIFT JOBS

BUILD_PACKAGES = libsqlite3-dev libqcow-dev zlib1g-dev libzstd-dev pkg-config
TEST_PACKAGES = qemu-utils qemu-system-x86 jq python3 python3-venv socat btrfs-progs xfsprogs faketime \
  sqlite3 ansible-core

RELEASE = .build/release
# Tests that wait for other programs block their thread: started all at once, they would leave none
# to those that drive running jobs.
SWIFT_TEST = SWIFT_BACKTRACE=enable=no SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(JOBS) \
  $(SWIFT) test -j $(JOBS) --disable-xctest
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
UNIT_FILES = snapjob-recover.service snapjob-recover@.service snapjob@.service snapjob@.socket snapjob-run@.service \
  snapjob-run@.timer snapjob-failed@.service
# The Python package qemu.qmp with its qmp-shell. Without it the tests that use it say that they are
# left out.
QMP_CLIENT = .build/qemu.qmp

.PHONY: all demo test crash fuzz fuzz-coverage check lint release install uninstall packages test-packages qmp-client \
  qemu10 clean
.NOTPARALLEL:

all: release

packages:
	@packaging/need-packages $(BUILD_PACKAGES)
	@command -v $(SWIFT) > /dev/null || \
	  { echo "no '$(SWIFT)' in PATH: install Swift 6.3 from https://www.swift.org/install" >&2; exit 1; }

test-packages: packages
	@packaging/need-packages $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory qmp-client || \
	  echo "no qemu.qmp (no network?): tests with it are left out" >&2

qmp-client: $(QMP_CLIENT)/bin/qmp-shell

$(QMP_CLIENT)/bin/qmp-shell:
	python3 -m venv $(QMP_CLIENT)
	$(QMP_CLIENT)/bin/pip install -q --disable-pip-version-check qemu.qmp

# Tests run it beside the system's QEMU: without it they fail.
qemu10:
	@packaging/qemu10

demo: packages
	jobs/demo.sh

test: test-packages qemu10
	$(SWIFT_TEST)

CRASH_TABLE = .build/crash-table.txt

# SNAPJOB_CRASH_SEED chooses other states.
crash: test-packages
	@rm -f $(CRASH_TABLE)
	@SNAPJOB_CRASH=long SNAPJOB_CRASH_TABLE=$(CRASH_TABLE) $(SWIFT_TEST) --filter CrashTests \
	  > .build/crash.txt 2>&1; status=$$?; \
	  [ $$status -eq 0 ] || grep -v '^\[' .build/crash.txt | tail -n 100; \
	  cat $(CRASH_TABLE); exit $$status

SECONDS ?= 300

fuzz: packages
	Fuzz/run $(SECONDS)

fuzz-coverage: packages
	Fuzz/run coverage

# The import check judges what the build before it recorded, so it comes after the tests' build.
check: test-packages qemu10 lint
	@rm -f $(CRASH_TABLE)
	SNAPJOB_TESTS=full SNAPJOB_CRASH=long SNAPJOB_CRASH_TABLE=$(CRASH_TABLE) $(SWIFT_TEST)
	@cat $(CRASH_TABLE)
	$(SWIFT) build -j $(JOBS) --build-tests --explicit-target-dependency-import-check error
	packaging/thread-sanitizer
	packaging/check-documentation
	$(MAKE) release

lint:
	$(SWIFT) format lint --strict -r -p Package.swift Sources Tests Fuzz/Package.swift Fuzz/Sources

release: packages
	$(SWIFT) build -j $(JOBS) -c release --static-swift-stdlib --product snapjob

# Under sudo there is often no swift in PATH: what was built before is installed then.
install:
	@if command -v $(SWIFT) > /dev/null || [ ! -x $(RELEASE)/snapjob ]; then $(MAKE) release; fi
	install -D -m 755 $(RELEASE)/snapjob "$(DESTDIR)$(PREFIX)/bin/snapjob"
	mkdir -p $(RELEASE)/completions
	$(RELEASE)/snapjob --generate-completion-script bash > $(RELEASE)/completions/snapjob
	$(RELEASE)/snapjob --generate-completion-script zsh > $(RELEASE)/completions/_snapjob
	$(RELEASE)/snapjob --generate-completion-script fish > $(RELEASE)/completions/snapjob.fish
	install -D -m 644 $(RELEASE)/completions/snapjob \
	  "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/snapjob"
	install -D -m 644 $(RELEASE)/completions/_snapjob \
	  "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_snapjob"
	install -D -m 644 $(RELEASE)/completions/snapjob.fish \
	  "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/snapjob.fish"
	for unit in $(UNIT_FILES); do \
	  sed 's|/usr/local/bin|$(PREFIX)/bin|' "packaging/$$unit" > "$(RELEASE)/$$unit" && \
	  install -D -m 644 "$(RELEASE)/$$unit" "$(UNITS)/$$unit" || exit 1; \
	done
	mkdir -p "$(UNITS)/multi-user.target.wants"
	ln -sfn ../snapjob-recover.service "$(UNITS)/multi-user.target.wants/snapjob-recover.service"

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/snapjob" \
	  "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/snapjob" \
	  "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_snapjob" \
	  "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/snapjob.fish" \
	  "$(UNITS)/multi-user.target.wants/snapjob-recover.service"
	for unit in $(UNIT_FILES); do rm -f "$(UNITS)/$$unit"; done

clean:
	rm -rf .build Fuzz/.build
