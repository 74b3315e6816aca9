#!/usr/bin/env python3
"""Counts what ctest ran, test by test: `N passed, N failed, N skipped`.

usage: test_summary.py BUILD_DIR    after `ctest --output-junit BUILD_DIR/test-reports/ctest.xml`

A GoogleTest executable or a run of pytest is one test to ctest; its report says what it ran.  Other tests count as one.  Why
tests were skipped is listed, each reason once.
"""
import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def read(report):
    """(passed, failed, [reason of each skipped test]) of a GoogleTest report."""
    passed = failed = 0
    skipped = []
    for suite in json.loads(report.read_text())["testsuites"]:
        for test in suite["testsuite"]:
            if test.get("failures"):
                failed += 1
            elif test.get("result") == "SKIPPED":
                reasons = [s.get("message", "") for s in test.get("skipped", [])]
                skipped.append(reasons[0].strip().split("\n")[-1] if reasons else "no reason given")
            elif test.get("result") == "COMPLETED":
                passed += 1
    return passed, failed, skipped


def read_pytest(report):
    """The same of a report of pytest."""
    passed = failed = 0
    skipped = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif (skip := case.find("skipped")) is not None:
            skipped.append(skip.get("message", "no reason given"))
        else:
            passed += 1
    return passed, failed, skipped


def main():
    reports = pathlib.Path(sys.argv[1]) / "test-reports"
    passed = failed = 0
    skipped = collections.Counter()
    for case in ElementTree.parse(reports / "ctest.xml").getroot().iter("testcase"):
        name, status = case.get("name"), case.get("status")
        report, of_pytest = reports / f"{name}.json", reports / f"{name}.xml"
        if status == "notrun" or status == "disabled" or case.find("skipped") is not None:
            output = case.findtext("system-out") or ""
            reason = re.search(r"skipped: (.*)", output)
            skipped[f"{name}: {reason.group(1) if reason else 'cannot run here'}"] += 1
        elif report.exists() or of_pytest.exists():
            p, f, s = read(report) if report.exists() else read_pytest(of_pytest)
            passed, failed = passed + p, failed + f
            skipped.update(s)
            if status == "fail" and f == 0:
                failed += 1
        else:
            passed, failed = passed + (status == "run"), failed + (status != "run")
    for reason, count in sorted(skipped.items()):
        print(f"skipped {count}: {reason}")
    print(f"{passed} passed, {failed} failed, {sum(skipped.values())} skipped")


if __name__ == "__main__":
    main()
