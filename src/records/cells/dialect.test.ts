import { describe, expect, it } from 'vitest';
import { type DialectWishes, describeDialect, findDialect } from './dialect.js';

const find = (text: string, wishes: DialectWishes = {}, more = {}) =>
  findDialect('a.csv', text.split('\n'), wishes, more);

describe('findDialect', () => {
  it.each([
    ['a,b\n1,2', ','],
    ['a;b\n1,5;2,5', ';'],
    ['1,5;2,5\n3,5;4,5', ';'],
    ['a\tb\n1\t2', '\t'],
    ['a|b\n1|2', '|'],
    ['a,b\n"x;y;z",2\n"u;v;w",3', ','],
    ['a\n1\n2', ','],
    ['a b c\n1 2 3\n4 5 6', ' '],
    ['words\nsome of 3\nothers of 4', ','],
  ])('finds the delimiter of %j', async (text, delimiter) => {
    expect((await find(text)).delimiter).toBe(delimiter);
  });
  it('passes blank lines, sep= and titles over, and says so', async () => {
    expect(await find('\n\na,b\n1,2')).toMatchObject({ skip: 2, names: ['a', 'b'], header: true });
    expect(await find('sep=;\na;b\n1;2')).toMatchObject({ skip: 1, delimiter: ';', names: ['a', 'b'] });
    const titled = await find('Sales of 2024\n\na,b\n1,2\n3,4');
    expect(titled).toMatchObject({
      skip: 2,
      names: ['a', 'b'],
      notes: ['the first line is a title and left out'],
    });
  });
  it.each([
    ['Export,,\nx,t,g\n0.5,a,red\n1.5,b,blue', 1],
    ['A,A,B\nx,t,g\n0.5,a,red\n1.5,b,blue', 1],
    ['Export, of things\nx,t,g\n0.5,a,red\n1.5,b,blue', 1],
    ['x,t,g,\n0.5,a,red\n1.5,b,blue', 0],
    ['# from a, b, c\nx,t,g\n0.5,a,red\n1.5,b,blue', 1],
    ['x,t,g\ncm,name,colour\n0.5,a,red\n1.5,b,blue', 0],
  ])('finds the names x, t and g in %j', async (text, skip) => {
    expect(await find(text)).toMatchObject({ skip, header: true, names: ['x', 't', 'g'] });
  });
  it('takes names out of single quotes that all of them stand in', async () => {
    expect((await find("'OBS'\t'GPA'\n1\t2.66\n2\t2.89")).names).toEqual(['OBS', 'GPA']);
    expect((await find("rock 'n' roll,'GPA'\n1,2.66\n2,2.89")).names).toEqual(["rock 'n' roll", "'GPA'"]);
  });
  it.each([
    ['x,y\n1,2\n3,4', true],
    ['1,2\n3,4', false],
    ['country,2019,2020\nFrance,1.5,2.5\nPeru,3,4', true],
    ['2019,2020,2021\n0.5,0,1\n1.5,1,2', true],
    ['2019,2020\n2020,2021\n2021,2022', false],
    ['name,city\nAda,London\nAlan,London', true],
    ['red,small\nred,large\nblue,small', false],
    ['sequence\nMKT\nMKV', true],
    ['a,a\nx,y\nz,w', false],
    [',class,age\n1,first,adult\n2,first,child', true],
    ['2024-01-01,A\n2024-01-02,B', false],
    ['$5,red\n$6,blue', false],
    ['day,price\n2024-01-01,$5\n2024-01-02,$6', true],
    ['site,2024-01-01,2024-01-02\ns0,0.5,0\ns1,1.5,2', true],
    ['NA,NA\n1.5,2.5\n3.5,4.5', false],
    ['v\na1 b, c\na2 d, e\na3 f, g', true],
    // Numbers among the names, or all of them.
    ['label,0,1,2\n0,109,203,111\n1,161,180,78', true],
    ['drug,0.1,1,10,class\nd0,0.5,0.7,0.1,0\nd1,0.4,0.9,0.3,1', true],
    ['oops,5,6\n7,8,9\n1,2,3', false],
    [',0,1,2\n0,0.5,0.7,0.1\n1,0.4,0.9,0.3', true],
    ['0,1,2\n0.5,0.7,0.1\n0.4,0.9,0.3', true],
    ['s,1100,1102,1104,1106,1108\ns0,0.5,0.7,0.1,0.2,0.3\ns1,0.4,0.9,0.3,0.4,0.2', true],
    ['0,1,2,3\n4,5,6,7\n8,9,10,11', false],
    ['0,1,2\n1,0,1\n2,1,0', false],
    ['5.1,3.5,1.4,0.2\n4.9,3.0,1.4,0.2', false],
    [',,a,b\n0,0,0.5,0.7\n0,1,0.4,0.9', true],
    [',,7.5\n0,0,0.5\n0,1,0.4', false],
    // Edges of a graph, grades, and a cell that is no name.
    ['0,1,2\n0,2,5\n0,5,9\n1,2,3', false],
    ['1,2,3\n5,3,4\n1,4,2', false],
    ['<5,1.1,2.2,3.3\n0,1.5,0.7,2\n3,0.2,9,1', false],
  ])('knows whether %j has a header', async (text, header) => {
    expect((await find(text)).header).toBe(header);
  });
  it('says where it took numbers for names, or left a first record that could be names', async () => {
    const notes = async (text: string) => (await find(text)).notes;
    expect(await notes('0,1,2\n0.5,0.7,0.1\n0.4,0.9,0.3')).toEqual([
      'the first record, 0, 1, 2, is read as the names of columns; --header no reads it as values',
    ]);
    expect(await notes('0,1,2\n1,0,1\n2,1,0')).toEqual([
      'the first record, 0, 1, 2, is read as values; --header yes reads it as names',
    ]);
    expect(await notes('oops,5,6\n7,8,9\n1,2,3')).toEqual([
      '"oops" in the first record stands above numbers and is read as a cell; --header yes reads that record as names',
    ]);
    for (const sure of [',0,1,2\n0,0.5,0.7,0.1\n1,0.4,0.9,0.3', 'a,b\n1,2'])
      expect((await notes(sure)).filter((note) => !note.includes('names of columns'))).toEqual([]);
    expect(await notes('drug,0.1,1,10,class\nd0,0.5,0.7,0.1,0\nd1,0.4,0.9,0.3,1')).toEqual([
      'the first record, drug, 0.1, 1, …, is read as the names of columns; --header no reads it as values',
    ]);
    expect(await notes('5.1,3.5,1.4,0.2\n4.9,3.0,1.4,0.2')).toEqual([]);
  });
  it('keeps to what the user says', async () => {
    expect(await find('1,2\n3,4', { header: 'yes' })).toMatchObject({ header: true, names: ['1', '2'] });
    expect(await find('a,b\n1,2', { header: 'no' })).toMatchObject({ names: ['column0', 'column1'] });
    expect((await find('a;b,c\n1;2,3', { delimiter: ';' })).names).toEqual(['a', 'b,c']);
    expect((await find('a,b\n"1,2', { quote: 'none' })).quote).toBe('');
    await expect(find('a,b\n1,2', { delimiter: '::' })).rejects.toThrow(
      '--delimiter: expected one character',
    );
  });
  it('takes a record with a column of the run for a header, and no other', async () => {
    expect((await find('1,2\n3,4', {}, { known: ['1'] })).header).toBe(true);
    expect((await find('x,y\n1,2', {}, { known: ['column0'] })).header).toBe(false);
  });
  it('finds quotes and what stands before one inside quotes', async () => {
    expect(await find('a,b\n1,"say \\"hi\\" now"')).toMatchObject({ quote: '"', escapedBy: '\\' });
    expect(await find('a,b\n1,"say ""hi"" now"')).toMatchObject({ quote: '"', escapedBy: '"' });
    expect(await find("a,b\n1,'x,y'\n2,'z'")).toMatchObject({ quote: "'" });
    expect(await find("a,b\n1,it's\n2,'z'\n3,w\n4,v")).toMatchObject({ quote: '"' });
    expect(await find('a\tb\n1\t5" pipe', {}, { tabs: true })).toMatchObject({ quote: '' });
    expect(await find('a\tb\n1\t"x\ty"', {}, { tabs: true })).toMatchObject({ quote: '"' });
    const late = `a\tb\n${'x\t5" pipe\n'.repeat(300)}"x, y"\t1\n"z"\t2`;
    expect(await find(late, {}, { tabs: true })).toMatchObject({
      quote: '',
      notes: [
        `quotes are read as letters, since no cell of the first 200 lines is in quotes; 2 later lines have such cells; --quote '"' takes the quotes off`,
      ],
    });
    expect(await find(late, { quote: 'none' }, { tabs: true })).toMatchObject({ quote: '', notes: [] });
  });
  it('names the rows of pandas and R `index`', async () => {
    expect((await find(',x\nMazda,1\nFiat,2')).names).toEqual(['index', 'x']);
    expect(await find('x,y\nMazda,1,2\nFiat,3,4')).toMatchObject({
      names: ['index', 'x', 'y'],
      skip: 0,
      header: true,
    });
    expect((await find('x,y\nMazda,1,2\nFiat,3,4')).notes).toEqual([
      'the first column has no name and is called index, and "x" is the second',
    ]);
    expect((await find('x,y\n1,2,\n3,4,')).names).toEqual(['x', 'y']);
  });
  it('gives a last column without a name that is mostly empty the name that is missing', async () => {
    expect(await find('day,temp\n1,0.5,\n2,0.7,broken\n3,0.1,')).toMatchObject({
      names: ['day', 'temp', 'column2'],
      notes: ['the last column, mostly empty, has no name and is called column2'],
    });
  });
  it.each([
    'site,kind,,\nnorth,big,,\nsouth,big,,',
    'site,kind,,\nnorth,1,,\nsouth,2,,',
    'site,kind\nnorth,1,,\nsouth,2,,',
    'site,kind,,\nnorth,1\nsouth,2',
  ])('leaves the empty columns at the end of %j out', async (text) => {
    expect(await find(text)).toMatchObject({ header: true, names: ['site', 'kind'] });
  });
  it('names columns without a name and repeated ones apart', async () => {
    expect((await find('a,,a,__proto__\n1,2,3,4')).names).toEqual(['a', 'column1', 'a_1', '__proto__']);
  });
  it('says in words what it found', async () => {
    expect(describeDialect(await find('\na\tb\n1\t2'))).toBe(
      "delimiter tab, quote '\"', header yes, 1 line before it left out",
    );
  });
});
