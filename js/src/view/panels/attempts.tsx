// The attempts of a node, a line each.
import { duration, oneLine } from "../../core/format";
import { type Attempt, STATES } from "../../core/types";
import { Section, StateGlyph } from "./bits";

export function Attempts({ attempts }: { attempts: Attempt[] }) {
  return (
    <Section title="Attempts">
      <table class="fuse-attempts">
        <thead>
          <tr>
            <th scope="col">
              <span class="fuse-spoken">number</span>
            </th>
            <th scope="col">state</th>
            <th scope="col">seconds</th>
            <th scope="col">worker</th>
            <th scope="col">began</th>
          </tr>
        </thead>
        <tbody>
          {attempts.map(({ attempt, state, seconds, worker, started, error }) => (
            <tr key={attempt} title={oneLine(error)}>
              <td>{attempt}</td>
              <td>
                <span class="fuse-count-of">
                  <StateGlyph code={STATES.indexOf(state)} />
                  {state}
                </span>
              </td>
              <td class="fuse-number">{seconds === null ? "" : duration(seconds)}</td>
              <td>{oneLine(worker, 40)}</td>
              <td class="fuse-number">
                {started === null ? "" : new Date(started * 1000).toLocaleTimeString()}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}
