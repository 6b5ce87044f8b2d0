.PHONY: bench profile

# Vireo and Debian's Linux side by side; FILTER= names a part, BASE= an earlier results.json, WITHIN= the
# percentage that fails, PROFILE=1 adds profiles of what is above half of Linux,
# COMMIT=1 puts the results into test/bench.
FILTER  ?=
BASE    ?=
WITHIN  ?=
PROFILE ?=
COMMIT  ?=
HARTS   ?= 2,4
BENCH   ?=
KERNEL  ?= vireo
bench_py = BUILD=$(BUILD) BOARD=$(BOARD) /usr/bin/python3 test/bench/

bench: $(image) $(test_files)
	@flash/setup.sh run test bench
	@$(bench_py)bench.py --filter '$(FILTER)' --harts '$(HARTS)' $(if $(BASE),--base '$(BASE)') \
	    $(if $(WITHIN),--within '$(WITHIN)') $(if $(PROFILE),--profile) $(if $(COMMIT),--commit)

profile: $(image) $(test_files)
	@[ -n '$(BENCH)' ] || { echo 'profile: BENCH=name, as make bench prints it (KERNEL=linux for Linux)'; exit 1; }
	@flash/setup.sh run test
	@$(bench_py)flame.py '$(BENCH)' '$(KERNEL)'
