/** The little that is needed of a library for pages: elements are made once, and changed only where something is new. */

const SVG = 'http://www.w3.org/2000/svg';

type Child = Node | string;
export type Attributes = Readonly<Record<string, string | number>>;

/** Children that are strings become text, whatever is in them. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const name of Object.keys(attributes)) set(element, name, attributes[name] ?? '');
  element.append(...children);
  return element;
}

export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const name of Object.keys(attributes)) set(element, name, attributes[name] ?? '');
  element.append(...children);
  return element;
}

/** Of an element without children. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function set(element: Element, name: string, value: string | number): void {
  const text = String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

export function show(element: HTMLElement | SVGElement, isShown: boolean): void {
  element.classList.toggle('hidden', !isShown);
}

/** Keeps one child for each key, in the order given; what is made once is kept as long as its key is there. */
export class Keyed<T> {
  readonly #parent: Element;
  readonly #make: (item: T) => { readonly element: Element; update(item: T): void };
  #known = new Map<string, { readonly element: Element; update(item: T): void }>();

  constructor(parent: Element, make: (item: T) => { readonly element: Element; update(item: T): void }) {
    this.#parent = parent;
    this.#make = make;
  }

  update(items: readonly T[], keyOf: (item: T) => string): void {
    const known = new Map<string, { readonly element: Element; update(item: T): void }>();
    let at = this.#parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      if (known.has(key)) continue;
      const entry = this.#known.get(key) ?? this.#make(item);
      known.set(key, entry);
      entry.update(item);
      if (entry.element === at) at = at.nextElementSibling;
      else this.#parent.insertBefore(entry.element, at);
    }
    for (const [key, { element }] of this.#known) if (!known.has(key)) element.remove();
    this.#known = known;
  }
}
