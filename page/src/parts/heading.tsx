// The heading of a view. It takes the focus that a former heading lost, when figures took the place of a loading view.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

let lost = false;

export function Heading({ children }: { children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    const own = heading.current;
    if (lost) own?.focus({ preventScroll: true });
    lost = false;
    return () => void (lost = document.activeElement === own);
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children}
    </h1>
  );
}
