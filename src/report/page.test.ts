import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeHtml, html, svgMarkup } from './html.js';
import { type Block, reportPage } from './page.js';

describe('html', () => {
  it('escapes strings, joins arrays and leaves markup alone', () => {
    expect(html`<p title="${'"'}">${['<', html`<b>${'&'}</b>`, 3]}</p>`.text).toBe(
      '<p title="&quot;">&lt;<b>&amp;</b>3</p>',
    );
  });

  it('lets no text out of an element or an attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'<>&;"\'a#\0\u001f\u{1f600}') }), (text) => {
        expect(escapeHtml(text)).not.toMatch(/[<>"'\0]|&(?!(amp|lt|gt|quot|#39);)/);
      }),
    );
  });

  it('labels a drawing for screen readers and drops the XML prolog', () => {
    expect(svgMarkup("<?xml version='1.0'?>\n<svg width='1'></svg>", 'a "dot"').text).toBe(
      '<svg role="img" aria-label="a &quot;dot&quot;" width=\'1\'></svg>',
    );
  });
});

describe('reportPage', () => {
  const hostile = '<script>alert("&")</script>';
  const blocks: Block[] = [
    { kind: 'text', text: `one\n${hostile}` },
    { kind: 'finding', text: hostile },
    {
      kind: 'table',
      caption: hostile,
      columns: [{ title: hostile }, { title: 'score', numeric: true }],
      rows: [
        [hostile, '0.742 ± 0.012'],
        ['b', '0.7'],
      ],
    },
    { kind: 'figure', picture: svgMarkup('<svg></svg>', hostile), caption: hostile },
    { kind: 'details', summary: hostile, blocks: [{ kind: 'code', text: hostile }] },
  ];
  const page = reportPage({ title: hostile, intro: hostile, sections: [{ title: hostile, blocks }] });

  it('escapes every text it is given', () => {
    expect(page).not.toContain('<script');
    expect(page.split('&lt;script&gt;alert(&quot;&amp;&quot;)&lt;/script&gt;').length - 1).toBe(13);
  });

  it('closes every element it opens, in order', () => {
    expect(unbalanced(page)).toEqual([]);
  });

  it('is one file: nothing in it names another', () => {
    expect(page).not.toMatch(/\b(src|href)=|@import|url\(|http:\/\//);
    expect(page).toContain("default-src 'none'");
  });

  it('marks up headings of rows and columns, and aligns numbers', () => {
    expect(page).toContain('<th scope="col" class="numeric">score</th>');
    expect(page).toContain('<tr><th scope="row">b</th><td class="numeric">0.7</td></tr>');
  });
});

/** Tags that do not pair up. Void elements and the document type need no end. */
function unbalanced(page: string): string[] {
  const open: string[] = [];
  for (const [tag, close, name, selfClosed] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*?(\/?)>/g)) {
    if (selfClosed === '/' || name === 'meta') continue;
    if (close === '') open.push(name!);
    else if (open.pop() !== name) return [tag, ...open];
  }
  return open;
}
