/** The records that the model finds strangest, and why. */
import { nameOf } from './map-part.js';
import { type PartProps, Section, Table, Work } from './parts.js';

export function StrangePart({ session }: PartProps) {
  const { strange, map } = session.state;
  const show = (place: number) => {
    session.select(place);
    document.getElementById('map')?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <Section session={session} part="anomalies" title="The strangest records">
      <p>
        Each record is judged by how badly its parts are predicted from the rest, and by how far it lies from
        the others. The p-value is the share of held-out records that are at least as strange.
      </p>
      <Work session={session} part="anomalies" onStart={() => void session.findStrange()}>
        Find them
      </Work>
      {strange && (
        <Table label="The strangest records">
          <caption>
            {strange.flagged} {strange.flagged === 1 ? 'record is' : 'records are'} flagged at a rate of{' '}
            {Number((100 * strange.rate).toPrecision(2))} % false alarms; the {strange.records.length}{' '}
            strangest are ringed on the map.
          </caption>
          <thead>
            <tr>
              <th scope="col">record</th>
              <th scope="col" class="numeric">
                p-value
              </th>
              <th scope="col">worst predicted (error)</th>
            </tr>
          </thead>
          <tbody>
            {strange.records.map(({ row, pValue, blame }) => {
              const place = map?.rows.indexOf(row) ?? -1;
              return (
                <tr key={row}>
                  <th scope="row">
                    {map && place >= 0 ? (
                      <button type="button" class="plain" onClick={() => show(place)}>
                        {nameOf(map, place)}
                      </button>
                    ) : (
                      row
                    )}
                  </th>
                  <td class="numeric">{pValue.toFixed(3)}</td>
                  <td>{blame}</td>
                </tr>
              );
            })}
          </tbody>
        </Table>
      )}
    </Section>
  );
}
