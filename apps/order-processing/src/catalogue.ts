/** What the shop sells. */

export interface Product {
  readonly sku: string;
  readonly name: string;
  readonly cents: number;
  /** How often it is ordered, against the others. */
  readonly weight: number;
  /** Which share of what is expected to be ordered is in stock: below 1 it sells out. */
  readonly stocked: number;
}

const ROWS: readonly (readonly [
  sku: string,
  name: string,
  cents: number,
  weight: number,
  stocked: number,
])[] = [
  ['COF-101', 'Kaffeemühle, handbetrieben', 8_990, 5, 1.2],
  ['COF-102', 'Espresso Nº 7, 1 kg', 2_450, 14, 1.2],
  ['COF-103', 'Filter papers, 100', 590, 12, 1.2],
  ['COF-104', 'Caffettiera per 3 tazze', 3_490, 6, 1.2],
  ['TEA-201', '煎茶 Sencha, 100 g', 1_390, 9, 1.2],
  ['TEA-202', 'Té de manzanilla, 20 bolsas', 420, 8, 1.2],
  ['TEA-203', '鉄瓶 Iron teapot', 11_900, 2, 0.7],
  ['KIT-301', '三徳包丁 Santoku, 18 cm', 9_900, 3, 0.8],
  ['KIT-302', 'Crème-brûlée-Brenner', 3_290, 2, 1.2],
  ['KIT-303', 'Planche à découper, chêne', 4_590, 4, 1.2],
  ['KIT-304', 'Smörkniv i en', 690, 5, 1.2],
  ['KIT-305', 'Pierogi mould', 750, 3, 1.2],
  ['FOD-401', 'Miód lipowy, 400 g', 890, 7, 1.2],
  ['FOD-402', 'Ελαιόλαδο, 1 l', 1_690, 8, 1.2],
  ['FOD-403', 'Pão de queijo mix', 540, 5, 1.2],
  ['FOD-404', 'Turrón de Jijona', 990, 4, 0.6],
  ['FOD-405', 'Čokoláda 70 %, 12 tabulek', 2_280, 6, 1.2],
  ['FOD-406', 'मसाला चाय Masala chai, 250 g', 820, 6, 1.2],
  ['HOM-501', 'Wollmütze „Åre“', 2_990, 3, 0.8],
  ['HOM-502', 'Çini kase, el yapımı', 3_790, 2, 0.7],
  ['HOM-503', 'Beeswax candles, pair', 1_190, 5, 1.2],
  ['HOM-504', 'Linen tea towel', 1_290, 6, 1.2],
  ['BOK-601', 'The Art of Fermentation', 3_250, 2, 1.2],
  ['BOK-602', 'Cien años de soledad', 1_495, 3, 1.2],
];

export const PRODUCTS: readonly Product[] = ROWS.map(([sku, name, cents, weight, stocked]) => ({
  sku,
  name,
  cents,
  weight,
  stocked,
}));

const ALL_WEIGHTS = PRODUCTS.reduce((sum, { weight }) => sum + weight, 0);
/** How many pieces of all products an order has, on average. */
const PIECES_OF_ORDER = 3.5;

/** The product at a place from 0 up to, and without, 1, where each has as much room as it has weight. */
export function productAt(place: number): Product {
  let left = place * ALL_WEIGHTS;
  const found = PRODUCTS.find(({ weight }) => (left -= weight) < 0);
  return found ?? (PRODUCTS[0] as Product);
}

/** How many pieces are in stock before the first of so many orders. */
export function initialStock({ weight, stocked }: Product, orders: number): number {
  return Math.ceil(orders * PIECES_OF_ORDER * (weight / ALL_WEIGHTS) * stocked);
}
