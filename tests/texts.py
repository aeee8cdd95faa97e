"""Texts that mean something to one format or another."""

from __future__ import annotations

from hypothesis import strategies as st

HOSTILE = (
    "ce [old]",
    "list[a].json",
    "[/x]",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "a\rb\nc",
    "\u202egnp.exe",
    r"\input{/etc/passwd}",
    "$a$b",
    "a$b$",
    "50 % & #1_x ~ ^ {y}",
    "=1+1",
    "@SUM(A1)",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "a|b",
    "`code` *bold* _it_ **b** __b__ ~~s~~",
    "<script>alert(1)</script>",
    "[text](javascript:x) ![i](http://x) https://x www.x.de",
    "&lt; &#60; & x",
    "\\",
    "a\\|b",
    "--x--",
    " led by a space, ended by one ",
    "a, \"b\" 'c'",
    "\ud800",
    "ε-softmax ± 0.5 … ≥",
)

TEXTS = st.text() | st.text("|\\*_`[]<>&;#x$~{}:/w.-+=@'\", \n\r\t\x1b\u202eεa1–—") | st.sampled_from(HOSTILE)
