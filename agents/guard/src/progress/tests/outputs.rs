//! What tools print when something fails.

pub(super) const PYTEST: &str = "\
.F.F                                                                     [100%]
=================================== FAILURES ===================================
__________________________________ test_first __________________________________

tmp_path = PosixPath('/tmp/pytest-of-golden/pytest-3/test_first0')

    def test_first(tmp_path):
>       assert slugify('a b') == 'a-b'
E       AssertionError: assert 'ab' == 'a-b'

tests/test_slug.py:5: AssertionError
_________________________________ test_object __________________________________

    def test_object():
>       assert Slug('a') == Slug('a')
E       assert <shop.slug.Slug object at 0x7f3b1c0a5d90> == <shop.slug.Slug object at 0x7f3b1c0a5e50>

tests/test_slug.py:9: AssertionError
=========================== short test summary info ============================
FAILED tests/test_slug.py::test_first - AssertionError: assert 'ab' == 'a-b'
FAILED tests/test_slug.py::test_object - assert <shop.slug.Slug object at 0x7f3b1c0a5d90> == <...
2 failed, 2 passed in 0.03s
";

pub(super) const PYTEST_AGAIN: &str = "\
.F.F                                                                     [100%]
=================================== FAILURES ===================================
__________________________________ test_first __________________________________

tmp_path = PosixPath('/tmp/pytest-of-golden/pytest-11/test_first0')

    def test_first(tmp_path):
>       assert slugify('a b') == 'a-b'
E       AssertionError: assert 'ab' == 'a-b'

tests/test_slug.py:7: AssertionError
_________________________________ test_object __________________________________

    def test_object():
>       assert Slug('a') == Slug('a')
E       assert <shop.slug.Slug object at 0x7fe210b4ac10> == <shop.slug.Slug object at 0x7fe210b4b3d0>

tests/test_slug.py:11: AssertionError
=========================== short test summary info ============================
FAILED tests/test_slug.py::test_first - AssertionError: assert 'ab' == 'a-b'
FAILED tests/test_slug.py::test_object - assert <shop.slug.Slug object at 0x7fe210b4ac10> == <...
2 failed, 2 passed in 62.51s (0:01:02)
";

pub(super) const CARGO: &str = "\
   Compiling shop v0.1.0 (/workspace)
    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.52s
     Running unittests src/lib.rs (target/debug/deps/shop-3b1f9c2a4d5e6f70)

running 2 tests
test tests::joins ... FAILED
test tests::keeps ... ok

failures:

---- tests::joins stdout ----

thread 'tests::joins' (4711) panicked at src/lib.rs:10:9:
assertion `left == right` failed
  left: \"ab\"
 right: \"a-b\"
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

failures:
    tests::joins

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: test failed, to rerun pass `--lib`
";

pub(super) const RUSTC: &str = "\
error[E0308]: mismatched types
  --> src/lib.rs:12:20
   |
12 |     let n: usize = text;
   |            -----   ^^^^ expected `usize`, found `&str`
";

pub(super) const GO: &str = "\
--- FAIL: TestSlug (0.00s)
    slug_test.go:12: Slug(\"a b\") = \"ab\", want \"a-b\"
FAIL
FAIL\texample.com/shop/slug\t0.002s
ok  \texample.com/shop/cart\t0.004s
FAIL
";

pub(super) const GO_PANIC: &str = "\
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4e2f3a]

goroutine 7 [running]:
example.com/shop/slug.Join(0xc00001c0f0)
\t/workspace/slug/slug.go:9 +0x1d
testing.tRunner(0xc0000a6ea0, 0x5265d8)
\t/usr/local/go/src/testing/testing.go:1792 +0xf4
FAIL\texample.com/shop/slug\t0.006s
";

pub(super) const JEST: &str = "\
FAIL ./slug.test.js
  Slug
    ✕ joins words (5 ms)
    ✓ keeps letters (1 ms)

  ● Slug › joins words

    expect(received).toBe(expected) // Object.is equality

    Expected: \"a-b\"
    Received: \"ab\"

      2 | test('joins words', () => {
    > 3 |   expect(slug('a b')).toBe('a-b');
        |                       ^
      4 | });

      at Object.toBe (slug.test.js:3:23)

Test Suites: 1 failed, 1 total
Tests:       1 failed, 1 passed, 2 total
Snapshots:   0 total
Time:        0.345 s, estimated 1 s
";

pub(super) const NODE: &str = "\
✖ joins words (1.234567ms)
ℹ tests 2
ℹ fail 1
ℹ duration_ms 45.678901
(node:4242) Warning: it is experimental
  AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:
  + 'ab'
  - 'a-b'
      at TestContext.<anonymous> (file:///workspace/slug.test.js:5:10)
npm error A complete log of this run can be found in: /root/.npm/_logs/2026-03-01T10_00_00_123Z-debug-0.log
";

pub(super) const VITEST: &str = "\
 FAIL  slug.test.ts > joins words
AssertionError: expected 'ab' to be 'a-b' // Object.is equality
 ❯ slug.test.ts:4:21
 Test Files  1 failed (1)
      Tests  1 failed | 1 passed (2)
   Start at  10:23:15
   Duration  412ms (transform 30ms, setup 0ms, collect 28ms, tests 7ms)
";

pub(super) const LINTS: &str = "\
/workspace/src/slug.js
  3:10  error  'x' is defined but never used  no-unused-vars

✖ 1 problem (1 error, 0 warnings)
src/slug.ts(12,5): error TS2322: Type 'string' is not assignable to type 'number'.
src/slug.py:7:80: E501 line too long (92 > 79 characters)
";

pub(super) const UNITTEST: &str = "\
[2026-03-01 10:00:00,123] INFO starting up
2026-03-01T10:00:00.123Z ready
ERROR: test_open (tests.test_slug.Opening.test_open)
Traceback (most recent call last):
  File \"/workspace/tests/test_slug.py\", line 12, in test_open
    open('/tmp/tmpab_cdefg/out.txt')
FileNotFoundError: [Errno 2] No such file or directory: '/tmp/tmpab_cdefg/out.txt'
----------------------------------------------------------------------
Ran 5 tests in 0.001s
";

pub(super) type Swaps = &'static [(&'static str, &'static str)];

/// An output, and what stood elsewhere in it when the same failure came back.
pub(super) const AGAIN: [(&str, Swaps); 9] = [
    (
        CARGO,
        &[
            ("in 0.52s", "in 12.01s"),
            ("(4711)", "(12)"),
            ("src/lib.rs:10:9", "src/lib.rs:14:13"),
            ("in 0.00s", "in 0.31s"),
            (
                "test tests::joins ... FAILED\ntest tests::keeps ... ok",
                "test tests::keeps ... ok\ntest tests::joins ... FAILED",
            ),
        ],
    ),
    (RUSTC, &[("12:20", "9:20"), ("\n12 |", "\n9 |")]),
    (GO, &[("(0.00s)", "(1.27s)"), ("go:12:", "go:31:"), ("\t0.002s", "\t1.301s"), ("\t0.004s", "\t0.010s")]),
    (
        GO_PANIC,
        &[
            ("pc=0x4e2f3a", "pc=0x4e2ffa"),
            ("goroutine 7", "goroutine 34"),
            ("0xc00001c0f0", "0xc00012a0b0"),
            ("slug.go:9 +0x1d", "slug.go:11 +0x25"),
            ("0xc0000a6ea0", "0xc000186d00"),
        ],
    ),
    (
        JEST,
        &[
            ("(5 ms)", "(11 ms)"),
            (" (1 ms)", " (2 s)"),
            ("0.345 s, estimated 1 s", "1.2 s"),
            ("js:3:23", "js:13:23"),
            ("      2 | test", "      12 | test"),
            ("> 3 |", "> 13 |"),
            ("      4 | }", "      14 | }"),
        ],
    ),
    (
        NODE,
        &[
            ("1.234567ms", "0.9ms"),
            ("45.678901", "51.2"),
            ("node:4242", "node:17"),
            ("js:5:10", "js:6:10"),
            ("2026-03-01T10_00_00_123Z", "2026-03-01T10_04_00_999Z"),
        ],
    ),
    (
        VITEST,
        &[
            ("10:23:15", "9:03:07"),
            ("412ms (transform 30ms", "1.20s (transform 31ms"),
            ("ts:4:21", "ts:9:21"),
        ],
    ),
    (LINTS, &[("3:10", "13:10"), ("(12,5)", "(14,9)"), ("py:7:80", "py:70:80")]),
    (
        UNITTEST,
        &[
            ("2026-03-01 10:00:00,123", "2026-03-01 10:07:59,001"),
            ("2026-03-01T10:00:00.123Z", "2026-03-02T00:00:00Z"),
            ("line 12", "line 21"),
            ("tmpab_cdefg", "tmpx9q1l_ww"),
            ("0.001s", "0.1s"),
        ],
    ),
];
