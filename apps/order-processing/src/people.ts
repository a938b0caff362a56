/** Who orders: names as people have them, and the language in which they are thanked. */

import { oneOf, random } from './random.ts';

export interface Customer {
  readonly name: string;
  /** Of RFC 2606: no mail to it could reach anybody. */
  readonly email: string;
  readonly country: string;
  /** What stands for a card: no number of a card is anywhere. */
  readonly card: string;
}

interface Country {
  readonly code: string;
  readonly first: readonly string[];
  readonly last: readonly string[];
  /** Of a mail about an order; `#` is its number. */
  readonly subject: string;
}

/** How many customers there are: some come back. */
const CUSTOMERS = 1_200;
const BRANDS = ['visa', 'mastercard', 'amex', 'jcb'] as const;
const HOSTS = ['mail.example', 'post.example', 'correo.example', 'greylisted.example'] as const;

const COUNTRIES: readonly Country[] = [
  {
    code: 'DE',
    first: ['Jürgen', 'Anneliese', 'Björn', 'Käthe'],
    last: ['Müller', 'Weiß', 'Schröder'],
    subject: 'Danke für Ihre Bestellung #',
  },
  {
    code: 'FR',
    first: ['Chloé', 'François', 'Zoë', 'Léa'],
    last: ['Lefèvre', 'Benoît', 'Garçon'],
    subject: 'Merci, votre commande # est confirmée',
  },
  {
    code: 'ES',
    first: ['Íñigo', 'María', 'Begoña', 'José'],
    last: ['Núñez', 'García', 'Ibáñez'],
    subject: '¡Gracias! Pedido # recibido',
  },
  {
    code: 'PL',
    first: ['Żaneta', 'Łukasz', 'Zofia', 'Paweł'],
    last: ['Wójcik', 'Źródło', 'Kowalski'],
    subject: 'Dziękujemy, zamówienie # zostało przyjęte',
  },
  {
    code: 'CZ',
    first: ['Jiří', 'Růžena', 'Šárka'],
    last: ['Dvořák', 'Novák', 'Čapek'],
    subject: 'Děkujeme za objednávku #',
  },
  {
    code: 'SE',
    first: ['Åsa', 'Göran', 'Märta'],
    last: ['Sjögren', 'Åkesson', 'Lindström'],
    subject: 'Tack för din beställning #',
  },
  {
    code: 'TR',
    first: ['Ayşe', 'Çağlar', 'İpek'],
    last: ['Yıldız', 'Öztürk', 'Şahin'],
    subject: 'Teşekkürler, # numaralı siparişiniz alındı',
  },
  {
    code: 'GR',
    first: ['Ελένη', 'Γιώργος', 'Δάφνη'],
    last: ['Παπαδοπούλου', 'Νικολάου'],
    subject: 'Ευχαριστούμε για την παραγγελία #',
  },
  {
    code: 'JP',
    first: ['花子', '太郎', '陽菜'],
    last: ['山田', '佐藤', '髙橋'],
    subject: 'ご注文 # を承りました',
  },
  {
    code: 'IN',
    first: ['अनन्या', 'अर्जुन', 'Priya'],
    last: ['शर्मा', 'Iyer'],
    subject: 'धन्यवाद! ऑर्डर # मिल गया',
  },
  {
    code: 'BR',
    first: ['João', 'Conceição', 'Luísa'],
    last: ['Araújo', 'Magalhães'],
    subject: 'Obrigado pelo pedido # 💚',
  },
  {
    code: 'US',
    first: ['Mary', 'Renée', "D'Angelo"],
    last: ["O'Neill", 'Smith', 'Zúñiga'],
    subject: 'Thank you for order # 📦',
  },
];

/** One of the shop's customers. @param seed of the orders. */
export function customerAt(seed: number, place: number): Customer {
  const number = Math.floor(place * CUSTOMERS);
  const next = random(Math.imul(seed + 1, 0x9e3779b1) ^ (number * 7919));
  const { code, first, last } = oneOf(COUNTRIES, next());
  const [given, family] = [oneOf(first, next()), oneOf(last, next())];
  const name = code === 'JP' ? `${family} ${given}` : `${given} ${family}`;
  const host = oneOf(HOSTS, next());
  const token = Math.floor(next() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0');
  return {
    name,
    email: `customer-${number}@${host}`,
    country: code,
    card: `${oneOf(BRANDS, next())}-${token}`,
  };
}

/** What the mail about an order is called, in the language of the customer. */
export function subjectOf(country: string, number: string): string {
  const { subject } = COUNTRIES.find(({ code }) => code === country) ?? (COUNTRIES.at(-1) as Country);
  return subject.replace('#', number);
}
