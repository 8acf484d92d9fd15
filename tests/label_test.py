#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The label as a page and as a picture (privacy.md 9 and 10), checked as far
as structure goes: parts that a reader without eyes or colours needs, contrast
computed from the colours in the page, widths, print, nothing from outside,
nothing that a policy says taken for markup. With chromium installed the page is
also laid out at 320, 375 and 1280 px: nothing may be wider than the window."""
import glob
import html.parser
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
POLC = os.path.join(os.environ.get("BUILD", "build"), "bin", "polc")
VOID = {"meta", "br", "hr", "img", "link", "input"}
failed = 0


def check(name, ok, why=""):
    global failed
    print(("ok " if ok else "not ok ") + name + (f" # {why}" if why and not ok else ""))
    failed += not ok


class Node:
    def __init__(self, tag, attrs, parent):
        self.tag, self.attrs, self.parent = tag, dict(attrs), parent
        self.kids, self.words = [], []

    def all(self, *tags):
        for k in self.kids:
            if not tags or k.tag in tags:
                yield k
            yield from k.all(*tags)

    def text(self):
        return "".join(w if isinstance(w, str) else w.text() for w in self.words)

    def next(self):
        at = self.parent.kids.index(self)
        return self.parent.kids[at + 1] if at + 1 < len(self.parent.kids) else None


class Tree(html.parser.HTMLParser):
    """A tree of elements; every one must be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.root = self.at = Node("", (), None)
        self.wrong = []
        self.feed(text)
        if self.at is not self.root:
            self.wrong.append("not closed: " + self.at.tag)

    def handle_starttag(self, tag, attrs):
        n = Node(tag, attrs, self.at)
        if len(dict(attrs)) != len(attrs):
            self.wrong.append("an attribute twice in " + tag)
        self.at.kids.append(n)
        self.at.words.append(n)
        if tag not in VOID:
            self.at = n

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.at = self.at.parent

    def handle_endtag(self, tag):
        if self.at.tag != tag:
            self.wrong.append(f"</{tag}> in {self.at.tag}")
        else:
            self.at = self.at.parent

    def handle_data(self, data):
        self.at.words.append(data)

    def handle_comment(self, data):
        self.wrong.append("a comment")


# --- contrast: WCAG 2.2, 1.4.3 ------------------------------------------------

def luminance(colour):
    def part(h):
        c = int(h, 16) / 255
        return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
    r, g, b = (part(colour[i:i + 2]) for i in (1, 3, 5))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a, b):
    x, y = sorted((luminance(a), luminance(b)), reverse=True)
    return (x + 0.05) / (y + 0.05)


assert abs(contrast("#000000", "#ffffff") - 21) < 0.01
assert abs(contrast("#767676", "#ffffff") - 4.54) < 0.01


def palettes(css):
    found = re.findall(r":root\{([^}]*)\}", css)
    return [dict(re.findall(r"--([a-z]+):(#[0-9a-f]{6})", p)) for p in found]


def check_colours(name, css):
    schemes = palettes(css)
    check(f"{name}: colours for light, dark and print", len(schemes) == 3
          and all(set(p) == set(schemes[0]) for p in schemes))
    for which, p in zip(("light", "dark", "print"), schemes):
        for ink in ("ink", "soft", "link"):
            for ground in ("paper", "band"):
                c = contrast(p[ink], p[ground])
                check(f"{name}: {which}: {ink} on {ground} {c:.1f}:1", c >= 4.5)
        c = contrast(p["rule"], p["paper"])
        check(f"{name}: {which}: lines {c:.1f}:1", c >= 3)
    # Contrast is of luminance, so it is the same in greyscale. No other colour is used.
    rest = re.sub(r":root\{[^}]*\}", "", css)
    check(f"{name}: no colour but the named ones",
          not re.search(r"#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(", rest))
    used = set(re.findall(r"(?:color|fill|stroke|background|border[a-z-]*):[^;}]*var\(--([a-z]+)\)", rest))
    check(f"{name}: all that are used are named", used <= set(schemes[0]), str(used))


# --- the page -------------------------------------------------------------------

def check_page(name, text):
    t = Tree(text)
    root = t.root
    check(f"{name}: elements are closed in order", not t.wrong, "; ".join(t.wrong[:3]))
    page = next(root.all("html"))
    check(f"{name}: language and direction", page.attrs.get("lang") == "en"
          and page.attrs.get("dir") == "ltr")
    check(f"{name}: one title", len([k for k in root.all("title") if k.parent.tag == "head"
                                    and k.text().strip()]) == 1)
    levels = [int(n.tag[1]) for n in root.all("h1", "h2", "h3", "h4", "h5", "h6")]
    check(f"{name}: one h1, the first heading", levels[0] == 1 and levels.count(1) == 1)
    check(f"{name}: no level of headings is skipped",
          all(b <= a + 1 for a, b in zip(levels, levels[1:])), str(levels))
    check(f"{name}: no empty heading", all(n.text().strip() for n in
                                          root.all("h1", "h2", "h3", "h4")))
    check(f"{name}: one main", len(list(root.all("main"))) == 1)
    ids = [n.attrs["id"] for n in root.all() if "id" in n.attrs]
    check(f"{name}: ids are unique", len(ids) == len(set(ids)))
    refs = [r for n in root.all() for r in n.attrs.get("aria-labelledby", "").split()]
    refs += [n.attrs.get("href", "")[1:] for n in root.all("a")]
    check(f"{name}: what is pointed at is there", set(refs) <= set(ids), str(set(refs) - set(ids)))
    check(f"{name}: links have words", all(n.text().strip() for n in root.all("a")))
    for n in root.all("table"):
        head = n.kids[0]
        check(f"{name}: table '{head.text()[:30]}' has caption and headed rows",
              head.tag == "caption" and head.text().strip()
              and all(c.attrs.get("scope") in ("row", "col", "rowgroup") for c in n.all("th"))
              and all(any(c.tag == "th" for c in r.kids) for r in n.all("tr")))
        rows = [sum(int(c.attrs.get("colspan", 1)) for c in r.kids) for r in n.all("tr")]
        check(f"{name}: its rows are as long", len(set(rows)) == 1, str(rows))
        # Wide tables scroll by themselves and can be reached by the keyboard.
        if rows[0] > 2:
            box = n.parent
            check(f"{name}: it scrolls", box.attrs.get("class") == "scroll"
                  and box.attrs.get("tabindex") == "0" and box.attrs.get("role") == "region")
    for n in root.all("svg"):
        check_picture(name, n)
        after = n.next()
        check(f"{name}: a table follows the picture", after and list(after.all("table")))
        twin = after.text()
        for letter in (x.text() for x in n.all("text") if x.attrs.get("class") == "g"):
            check(f"{name}: grade {letter} is in the table", f"Grade {letter}" in twin)
    for n in root.all("span"):
        if "letter" in n.attrs.get("class", ""):
            check(f"{name}: the letter {n.text()} has its words beside",
                  re.search(r"Grade [A-FX][A-FX, ]*: \w", n.parent.text()))
    check_closed(name, root)
    css = next(root.all("style")).text()
    check_colours(name, css)
    viewport = [n for n in root.all("meta") if n.attrs.get("name") == "viewport"][0]
    check(f"{name}: can be enlarged", "maximum-scale" not in viewport.attrs["content"]
          and "user-scalable" not in viewport.attrs["content"])
    check(f"{name}: no fixed width", not re.search(r"(?<!max-)(?<!min-)width:\d+px", css)
          and "overflow-wrap:anywhere" in css)
    check(f"{name}: print, dark and forced colours", all(
        m in css for m in ("@media print", "prefers-color-scheme:dark", "forced-colors:active")))
    check(f"{name}: nothing moves", "animation" not in css and "transition" not in css)
    return root


def check_picture(name, svg):
    by = {n.attrs.get("id"): n for n in svg.all()}
    names = svg.attrs.get("aria-labelledby", "").split()
    check(f"{name}: the picture has role, title and description",
          svg.attrs.get("role") == "img" and len(names) == 2
          and [by[n].tag for n in names] == ["title", "desc"]
          and all(by[n].text().strip() for n in names))
    box = svg.attrs.get("viewbox", svg.attrs.get("viewBox", "0 0 999 0")).split()
    # At 375 px less the margins of 2 x 16 its letters of 13 units are 12 px.
    check(f"{name}: it is read at 375 px", 13 * (375 - 32) / float(box[2]) >= 12, box[2])
    deep = [float(n.attrs["y"]) for n in svg.all("text")]
    check(f"{name}: all of it is inside", max(deep) < float(box[3]))
    check(f"{name}: coarse and fine differ without colour",
          not re.search(r'(fill|stroke)="', " ".join(str(n.attrs) for n in svg.all())))


def check_closed(name, root):
    """Nothing from outside, nothing that runs."""
    tags = {n.tag for n in root.all()}
    allowed = {"html", "head", "meta", "title", "style", "body", "header", "main", "section",
               "article", "h1", "h2", "h3", "h4", "p", "a", "ul", "li", "span", "strong", "q",
               "table", "caption", "thead", "tbody", "tr", "th", "td", "div", "pre", "code",
               "svg", "desc", "rect", "path", "text"}
    check(f"{name}: only the elements it needs", tags <= allowed, str(tags - allowed))
    bad = [(n.tag, a) for n in root.all() for a in n.attrs
           if a.startswith("on") or a in ("src", "srcset", "action", "style", "srcdoc", "xlink:href")]
    check(f"{name}: no handler, no source", not bad, str(bad))
    check(f"{name}: links stay within", all(n.attrs.get("href", "").startswith("#")
                                           for n in root.all("a")))
    css = "".join(n.text() for n in root.all("style"))
    check(f"{name}: its style loads nothing", "url(" not in css and "@import" not in css)


# --- words -----------------------------------------------------------------------

def check_words():
    for path in ("policy-lang/label_words.def", "policy-lang/analysis/statements.def"):
        rows = re.findall(r'^X\(\w+, "([^"]+)", (?:\'.\', )?"([^"]*)"\)$', open(path).read(), re.M)
        check(f"{path} has words", len(rows) > 10)
        keys = [k for k, _ in rows]
        check(f"{path}: keys are unique", len(keys) == len(set(keys)))
        for key, words in rows:
            for s in re.split(r"[.:;] ", words):
                check(f"{key}: a short sentence", len(s.split()) <= 18, s) if len(s.split()) > 18 else None
            if re.search(r"\b(granularity|telemetry|PII|API)\b", words, re.I):
                check(f"{key}: plain words", False, words)


# --- run ---------------------------------------------------------------------------

def label(*args, want=0):
    p = subprocess.run([POLC, "label", *args], capture_output=True, check=False)
    check(f"label {' '.join(a if len(a) < 50 else '...' for a in args)}", p.returncode == want,
          p.stderr.decode()[:300])
    return p.stdout.decode("utf-8")


def hostile(tmp):
    """A household whose texts and comments are markup."""
    evil = "</title></style></svg><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\\\"'"
    swaps = {
        "mdma.yaml": [(r"(?m)^title: .*$", f'title: "{evil}"'),
                      (r"operator: [^,\n}]*", f'operator: "{evil}"'),
                      (r"purpose: Half-hourly prices.*", f'purpose: "{evil}"'),
                      (r"(?m)^  send-profile:", "  send-profile: # --> " + evil.replace("\\", ""))],
    }
    for f in glob.glob("tests/policies/household/*.yaml"):
        text = open(f, encoding="utf-8").read()
        if os.path.basename(f) == "household-tests.yaml":
            continue
        for pat, to in swaps.get(os.path.basename(f), []):
            text, n = re.subn(pat, lambda _: to, text)
            assert n, pat
        open(os.path.join(tmp, os.path.basename(f)), "w", encoding="utf-8").write(text)
    text = label("--html", tmp)
    root = check_page("hostile", text)
    said = evil.replace("\\", "")
    check("hostile: its words are shown as words", root.text().count(said) >= 4,
          str(root.text().count(said)))
    pic = label("--svg", tmp)
    ET.fromstring(pic)
    check("hostile: the picture stays a picture", "<script" not in pic and "&lt;script" in pic)


def rendered(path):
    browser = shutil.which("chromium")
    if not browser:
        print("SKIP: the layout in a browser: chromium is not installed")
        return
    for width in (320, 375, 1280):
        with tempfile.TemporaryDirectory() as home:
            # Asks the page in a frame of that width how wide it became.
            frame = os.path.join(home, "f.html")
            page = open(path, encoding="utf-8").read()
            page = re.sub(r'<meta http-equiv[^>]*>', "", page)
            page = page.replace("</body>", "<script>document.title='wide '+"
                                "document.documentElement.scrollWidth+' of '+innerWidth;"
                                "</script></body>")
            open(frame, "w", encoding="utf-8").write(
                f'<iframe id="f" style="width:{width}px;height:600px;border:0" srcdoc="'
                + page.replace("&", "&amp;").replace('"', "&quot;")
                + '"></iframe><p id="o"></p><script>onload=()=>{let d=document.getElementById("f")'
                '.contentDocument;document.getElementById("o").textContent=d.title}</script>')
            try:
                p = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu",
                                    f"--user-data-dir={home}/p", "--dump-dom",
                                    "file://" + frame],
                                   capture_output=True, timeout=120, check=False)
            except subprocess.TimeoutExpired:
                print(f"SKIP: the layout at {width} px: chromium did not answer")
                continue
            got = re.search(r'id="o">wide (\d+) of (\d+)', p.stdout.decode("utf-8", "replace"))
            check(f"at {width} px nothing is wider than the window",
                  got and int(got[2]) == width and int(got[1]) <= width, got and got[0])


def main():
    home = "tests/policies/household"
    check_words()
    for args in ([], ["--customer"]):
        name = "label" + "".join(args)
        text = label("--html", *args, home)
        check_page(name, text)
        for form in ("html", "svg"):
            want = f"{home}/{name}.{form}"
            got = text if form == "html" else label("--svg", *args, home)
            if os.environ.get("UPDATE"):
                open(want, "w", encoding="utf-8").write(got)
            check(f"{want} is as it was", open(want, encoding="utf-8").read() == got)
        pic = label("--svg", *args, home)
        tree = ET.fromstring(pic)
        check(f"{name}: the picture alone is XML", tree.tag.endswith("svg"))
        alone = Tree(pic[pic.index("<svg"):]).root
        check_picture(name + " alone", next(alone.all("svg")))
        check_closed(name + " alone", alone)
        check(f"{name}: black on white", contrast("#1a1a1a", "#ffffff") >= 7
              and set(re.findall(r"#[0-9a-f]{6}", pic)) == {"#1a1a1a", "#ffffff"})
    root = check_page("sealed", label("--html", "tests/policies/claims/sealed.yaml"))
    check("sealed: said so", "Cannot be checked" in root.text() and "X" in root.text())
    trial = ["tests/policies/bad/p5302-trial.yaml"]
    for form in ("--text", "--html"):
        text = " ".join(label(form, *trial).split())
        check(f"on trial: {form} says until when",
              "send: on trial until 2026-05-01." in text and "All of it: on trial until 2026-05-02." in text, text)
    text = label("--json", *trial)
    check("on trial: for programs", '"monitored-until":"2026-05-01"' in text
          and '"monitored-until":"2026-05-02"' in text, text)
    root = check_page("nothing", label("--html", f"{home}/portal.yaml"))
    check("nothing: said so", "Nothing about your use leaves your home." in root.text())
    common = [f"policies/{f}.yaml" for f in ("home", "binding", "demand-response", "portal")]
    for name, files in (("policies", ["policies"]),
                        ("policies/head-end", ["policies/head-end"]),
                        ("policies/strict", common + ["policies/strict"])):
        check_page(name, label("--html", *files))
        ET.fromstring(label("--svg", *files))
    check("the language is named", label("--lang", "en", "--html", home) == label("--html", home))
    label("--lang", "xx", "--html", home, want=2)
    with tempfile.TemporaryDirectory() as tmp:
        hostile(tmp)
    rendered(f"{home}/label.html")
    sys.exit(failed > 0)


main()
