"""Snippets of JavaScript, each with the value of its last expression, which Node gives, too."""

from __future__ import annotations

#: What Micro QuickJS has as well: no generators, no big ints, no dates.
ES5: dict[str, tuple[str, object]] = {
    "closures": (
        """function counter() { var n = 0; return { up: function () { return ++n },
        by: function (k) { n += k; return n } } }
        var a = counter(), b = counter(); a.up(); a.by(40); b.up(); [a.up(), b.up()].join()""",
        "42,2",
    ),
    "recursion": (
        "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) } fib(15)",
        610,
    ),
    "exceptions": (
        """var log = []; function f(n) { try { if (n === 0) throw new RangeError('low');
        log.push('in' + n); f(n - 1) }
        finally { log.push('out' + n) } } try { f(2) } catch (e) {
        log.push(e.name + ':' + e.message) } log.join()""",
        "in2,in1,out0,out1,out2,RangeError:low",
    ),
    "errors of the engine": (
        """var found = [function () { null.x }, function () { undefinedName }, function () {
        (1)() },
        function () { new Array(-1) }, function () { JSON.parse('{') }].map(function (f) {
        try { f(); return 'none' } catch (e) { return e.name } }); found.join()""",
        "TypeError,ReferenceError,TypeError,RangeError,SyntaxError",
    ),
    "regular expressions": (
        r"""var m = /(\w+)@(\w+)\.(com|org)/i.exec('Mail Ann@Example.ORG now'); [m.index, m[1],
        m[2], m[3]].join()""",
        "5,Ann,Example,ORG",
    ),
    "backtracking": (
        r"/^(a+)+b?$/.test('aaaaaaaaaa!') + ',' + /(?=.*\d)^[a-z\d]{4,8}$/.test('abc1x')",
        "false,true",
    ),
    "splitting": (r"'1, 2;3 ,4'.split(/\s*[,;]\s*/).join('|')", "1|2|3|4"),
    "sorting numbers": (
        """var s = 7, xs = []; for (var i = 0; i < 60; i++) {
        s = (s * 1103515245 + 12345) % 2147483648; xs.push(s % 1000) }
        xs.sort(function (x, y) { return x - y }); xs.slice(0, 5).concat(xs.slice(-5)).join()""",
        "56,72,112,116,128,912,920,920,928,960",
    ),
    "sorting is stable": (
        """['b2', 'a1', 'b1', 'c0', 'a2'].sort(function (x, y) {
        return x.charCodeAt(0) - y.charCodeAt(0) }).join()""",
        "a1,a2,b2,b1,c0",
    ),
    "json": (
        r"""JSON.stringify(JSON.parse('{"a":[1,-2.5e-3,true,null,"\\u00e9\\n"],"b":{"c":{}}}'))""",
        '{"a":[1,-0.0025,true,null,"é\\n"],"b":{"c":{}}}',
    ),
    "typed arrays": (
        """var d = new Uint8Array([1, 2, 300, -1]), f = new Float32Array([0.1, 1e40]),
        i = new Int16Array(d.buffer);
        [d.join(), f[0] === 0.1, f[1], i[0], i[1]].join(';')""",
        "1,2,44,255;false;Infinity;513;-212",
    ),
    "bytes of a double": (
        "new Uint8Array(new Float64Array([-Math.PI]).buffer).join()",
        "24,45,68,84,251,33,9,192",
    ),
    "numbers as text": (
        """[0.1 + 0.2, 1e21, 123456789012345680000, 5e-324, -0, 1 / 3, 255..toString(16),
        (25).toString(36)].join()""",
        "0.30000000000000004,1e+21,123456789012345680000,5e-324,0,0.3333333333333333,ff,p",
    ),
    "numbers to a precision": (
        """[(1.005).toFixed(2), (1234.5678).toExponential(2), (0.00001234).toPrecision(3),
        (1e21).toFixed(2)].join()""",
        "1.00,1.23e+3,0.0000123,1e+21",
    ),
    "text as numbers": (
        """[parseFloat('3.25abc'), parseInt('0x1f'), Number(' 12 '), Number('1e-7'),
        parseInt('zz', 36), +'x'].join()""",
        "3.25,31,12,1e-7,1295,NaN",
    ),
    "bits": (
        "[1 << 31, -1 >>> 28, ~7, 0xff ^ 0x0f, -9 >> 1, 5 & 6 | 8].join()",
        "-2147483648,15,-8,240,-5,12",
    ),
    "mathematics": (
        """[Math.sqrt(2), Math.sin(1), Math.pow(2, 0.5), Math.atan2(1, -1), Math.log(10),
        Math.round(-2.5)].join()""",
        """1.4142135623730951,0.8414709848078965,1.4142135623730951,2.356194490192345,2.302585092994046,-2""",
    ),
    "prototypes": (
        """function A(n) { this.n = n } A.prototype.get = function () { return this.n };
        function B(n) { A.call(this, n) }
        B.prototype = Object.create(A.prototype); B.prototype.twice = function () {
        return 2 * this.get() };
        var b = new B(21); [b.twice(), b instanceof A, Object.keys(b).join()].join()""",
        "42,true,n",
    ),
    "properties": (
        """var log = [], o = {}; Object.defineProperty(o, 'x', { get: function () {
        log.push('get'); return 5 },
        set: function (v) { log.push('set' + v) }, enumerable: true }); o.x = 7; log.push(o.x);
        log.join()""",
        "set7,get,5",
    ),
    "array functions": (
        """var xs = [5, 3, 8, 1]; [xs.map(function (x) { return x * 2 }).filter(function (x) {
        return x > 4 }).reduce(
        function (a, b) { return a + b }), xs.indexOf(8), xs.slice().reverse().join(''),
        xs.some(isNaN), xs.splice(1, 2).join('')].join()""",
        "32,2,1835,false,38",
    ),
    "text functions": (
        """var t = 'Wasm in Python'; [t.toUpperCase(), t.indexOf('in'), t.slice(-6),
        t.charCodeAt(3), t.split(' ').length, t.trim().substring(2, 4)].join()""",
        "WASM IN PYTHON,5,Python,109,3,sm",
    ),
    "labels and switch": (
        """var log = []; outer: for (var i = 0; i < 4; i++) for (var j = 0; j < 4; j++) {
        switch (i * j) { case 2: continue outer;
        case 6: break outer; default: log.push(i + '' + j) } } log.join()""",
        "00,01,02,03,10,11,20,30,31",
    ),
    "sieve": (
        """var n = 500, sieve = new Uint8Array(n + 1), found = 0; for (var i = 2; i <= n; i++) {
        if (!sieve[i]) { found++;
        for (var j = i * i; j <= n; j += i) sieve[j] = 1 } } found""",
        95,
    ),
}

#: What ES2015 to ES2020 added, and more.
MODERN: dict[str, tuple[str, object]] = {
    "replacing by a function": (
        r"""'the cat sat on the mat'.replace(/\b(\w)(\w*)\b/g, function (all, a, b) {
        return a.toUpperCase() + b.length })""",
        "T2 C2 S2 O1 T2 M2",
    ),
    "generators": (
        """function* walk(t) { if (t) { yield* walk(t[0]); yield t[1]; yield* walk(t[2]) } }
        const g = (function* () { let x = yield 1; try { yield x * 2 } finally { yield 'end' } })();
        [[...walk([[null, 1, null], 2, [null, 3, null]])].join(''), g.next().value,
        g.next(21).value, g.return(5).value, g.next().value].join()""",
        "123,1,42,end,5",
    ),
    "big ints": (
        """let f = 1n; for (let i = 1n; i <= 40n; i++) f *= i;
        [f, -7n / 2n, -7n % 3n, 2n ** 100n - 1n, BigInt.asIntN(8, 255n),
        0xffffffffffffffffn >> 3n, f % 1000000007n].join()""",
        """815915283247897734345611269596115894272000000000,-3,-1,1267650600228229401496703205375,-1,2305843009213693951,799434881""",
    ),
    "dates": (
        """const d = new Date(Date.UTC(2024, 1, 29, 12, 34, 56, 789));
        const e = new Date('1999-12-31T23:59:59Z');
        [d.toISOString(), d.getUTCDay(), e.getTime(),
        new Date(e.getTime() + 1000).toISOString(), new Date(NaN).getTime(),
        JSON.stringify(d)].join()""",
        '2024-02-29T12:34:56.789Z,4,946684799000,2000-01-01T00:00:00.000Z,NaN,"2024-02-29T12:34:56.789Z"',
    ),
    "classes": (
        """class A { #x = 1; static made = 0; constructor() { A.made++ } get x() {
        return this.#x } set x(v) { this.#x = v } }
        class B extends A { get x() { return super.x + 10 } set x(v) {
        super.x = v } } const b = new B(); b.x = 5; [b.x, A.made].join()""",
        "15,1",
    ),
    "destructuring": (
        """const { a, b: [, c = 9], ...rest } = { a: 1, b: [2], d: 4, e: 5 }; const f = (x,
        y = x * 2, ...z) => [x, y, z.length];
        [a, c, JSON.stringify(rest), f(1).join(), f(1, 2, 3, 4).join()].join(';')""",
        '1;9;{"d":4,"e":5};1,2,0;1,2,2',
    ),
    "maps and sets": (
        """const m = new Map([[NaN, 'n'], [0, 'z']]); m.set(-0, 'y').set('k', {});
        const s = new Set([3, 1, 3, 2]);
        [m.size, m.get(NaN), m.get(0), [...s].join(''), s.has(2), [...m.keys()].length].join()""",
        "3,n,y,312,true,3",
    ),
    "proxies and symbols": (
        """const p = new Proxy({}, { get: (t, k) => typeof k === 'symbol' ? undefined : k + '!',
        has: (t, k) => k === 'in' });
        const it = { *[Symbol.iterator]() { yield* [1, 2] } }; [p.hello, 'in' in p, 'out' in p,
        Math.max(...it)].join()""",
        "hello!,true,false,2",
    ),
    "unicode": (
        """const t = 'añ😀'; [t.length, [...t].length, t.codePointAt(2).toString(16),
        'ÀÉ'.toLowerCase(), 'e\\u0301'.normalize('NFC').length,
        /\\p{L}+/u.exec('12 Größe')[0], encodeURIComponent('ü/😀')].join()""",
        "4,3,1f600,àé,1,Größe,%C3%BC%2F%F0%9F%98%80",
    ),
    "named groups": (
        r"""const r = /(?<y>\d{4})-(?<m>\d\d)/g;
        [[...'2024-02 x 1999-12'.matchAll(r)].map(m => m.groups.m + m.groups.y).join(),
        'aBc'.replace(/(?<=a)B/, '<$&>')].join()""",
        "022024,121999,a<B>c",
    ),
    "data view": (
        """const v = new DataView(new ArrayBuffer(16)); v.setFloat32(0, 1.5); v.setBigInt64(8,
        -2n, true); v.setInt16(4, -300);
        [v.getUint8(0), v.getUint32(0, true), v.getBigUint64(8, true), v.getUint16(4),
        new BigInt64Array(v.buffer, 8)[0]].join()""",
        "63,49215,18446744073709551614,65236,-2",
    ),
    "deep recursion": (
        """let depth = 0; function down() { depth++; down() } try { down() } catch (e) {
        [e.name, depth > 50].join() }""",
        "RangeError,true",
    ),
}
