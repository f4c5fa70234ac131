-- The example shop: run once, when its file is new. All people, addresses and orders are made up.
-- Dates are counted back from the day of seeding, so that the example never looks stale.

CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, email TEXT, street TEXT, postcode TEXT, city TEXT);
CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT, name_de TEXT, cents INTEGER, stock INTEGER, tags TEXT);
CREATE TABLE orders (
  number TEXT PRIMARY KEY, customer INTEGER REFERENCES customers, status TEXT,  -- placed packed shipped delivered
  ago INTEGER, carrier TEXT, tracking TEXT,                                     -- cancelled return_requested refunded
  email TEXT, street TEXT, postcode TEXT, city TEXT,
  placed_on TEXT, shipped_on TEXT, delivered_on TEXT, closed_on TEXT
);
CREATE TABLE lines (number TEXT REFERENCES orders, sku TEXT REFERENCES products, quantity INTEGER, cents INTEGER);
CREATE TABLE returns (rma TEXT PRIMARY KEY, label TEXT, number TEXT, items TEXT, reason TEXT, asked_on TEXT);
CREATE TABLE tickets (id INTEGER PRIMARY KEY, number TEXT, topic TEXT, text TEXT, opened_at TEXT);
-- who named which order, and whether the e-mail address or postcode fitted
CREATE TABLE checks (conversation TEXT, customer TEXT, number TEXT, matched INTEGER, at TEXT);
-- every change, once: `key` is the tool call's
CREATE TABLE audit (
  key TEXT NOT NULL UNIQUE, tool TEXT, number TEXT, conversation TEXT, customer TEXT, at TEXT, arguments TEXT, result TEXT
);

INSERT INTO customers VALUES
  (1, 'Jana Berger', 'jana.berger@example.org', 'Lindenweg 4', '10115', 'Berlin'),
  (2, 'Tom Whitfield', 'tom.whitfield@example.com', 'Hafenstraße 21', '20457', 'Hamburg'),
  (3, 'Aylin Demir', 'aylin.demir@example.org', 'Kaiserring 8', '68161', 'Mannheim'),
  (4, 'Lukas Moser', 'lukas.moser@example.net', 'Getreidegasse 30', '5020', 'Salzburg'),
  (5, 'Sofia Rossi', 'sofia.rossi@example.com', 'Gartenstraße 12', '80331', 'München'),
  (6, 'Ben Okafor', 'ben.okafor@example.com', 'Rheinufer 3', '50667', 'Köln'),
  (7, 'Hanna Lindqvist', 'hanna.lindqvist@example.net', 'Am Markt 17', '28195', 'Bremen'),
  (8, 'Paul Schneider', 'paul.schneider@example.org', 'Schulstraße 9', '01067', 'Dresden'),
  (9, 'Mei Tanaka', 'mei.tanaka@example.com', 'Zeil 40', '60313', 'Frankfurt am Main'),
  (10, 'Clara Vogt', 'clara.vogt@example.org', 'Seestraße 2', '88131', 'Lindau'),
  (11, 'Oskar Nowak', 'oskar.nowak@example.net', 'Mariahilfer Straße 77', '1060', 'Wien'),
  (12, 'Ruth Ellison', 'ruth.ellison@example.com', 'Eichenallee 5', '04109', 'Leipzig');

INSERT INTO products VALUES
  ('L-101', 'Table lamp Fjord, opal glass', 'Tischleuchte Fjord, Opalglas', 7990, 14, 'lamp light lampe leuchte licht'),
  ('L-102', 'Floor lamp Birch', 'Stehleuchte Birke', 12900, 6, 'lamp light lampe leuchte licht wood holz'),
  ('L-103', 'Pendant lamp Dome, green', 'Pendelleuchte Dom, grün', 8900, 0, 'lamp light ceiling lampe leuchte licht decke'),
  ('L-104', 'Desk lamp Crane, black', 'Schreibtischleuchte Kran, schwarz', 5990, 22, 'lamp light office lampe leuchte licht büro'),
  ('L-105', 'Bulb E27, dimmable, warm white', 'Leuchtmittel E27, dimmbar, warmweiß', 890, 160, 'led light bulb birne lampe licht'),
  ('K-201', 'Enamel pot, 4 litres', 'Emailletopf, 4 Liter', 4990, 18, 'kitchen küche cooking kochen'),
  ('K-202', 'Oak chopping board', 'Schneidebrett aus Eiche', 3490, 31, 'kitchen küche wood holz cutting'),
  ('K-203', 'Stoneware mugs, set of four', 'Steinzeugbecher, vier Stück', 3200, 40, 'kitchen küche cup tasse coffee kaffee'),
  ('K-204', 'Pepper mill, beech', 'Pfeffermühle, Buche', 2490, 27, 'kitchen küche wood holz grinder'),
  ('K-205', 'Cast-iron pan, 26 cm', 'Gusseisenpfanne, 26 cm', 5490, 9, 'kitchen küche frying braten skillet'),
  ('T-301', 'Linen bed set, sand', 'Leinenbettwäsche, sand', 14900, 7, 'textile bedding duvet sheet textil bett leinen'),
  ('T-302', 'Linen tablecloth, white', 'Leinentischdecke, weiß', 6900, 12, 'textile textil leinen'),
  ('T-303', 'Wool throw, grey', 'Wolldecke, grau', 8900, 5, 'textile blanket textil sofa'),
  ('T-304', 'Bath towels, set of two', 'Badetücher, zwei Stück', 3900, 33, 'textile bathroom textil handtuch handtücher'),
  ('T-305', 'Cushion cover, rust', 'Kissenbezug, rost', 1990, 48, 'textile pillow textil sofa'),
  ('F-401', 'Oak side table, round', 'Beistelltisch aus Eiche, rund', 15900, 4, 'furniture wood möbel holz couchtisch'),
  ('F-402', 'Wall shelf, 80 cm', 'Wandregal, 80 cm', 6490, 11, 'furniture shelves möbel'),
  ('F-403', 'Step stool, ash', 'Tritthocker, Esche', 7490, 8, 'furniture chair möbel leiter wood holz'),
  ('F-404', 'Shoe bench with lid', 'Schuhbank mit Deckel', 11900, 0, 'furniture hall möbel flur'),
  ('F-405', 'Coat rack, five hooks', 'Garderobe, fünf Haken', 3990, 19, 'furniture hall möbel flur');

INSERT INTO orders (number, customer, status, ago, carrier) VALUES
  ('A-10001', 1, 'delivered', 12, 'DHL'),
  ('A-10002', 1, 'shipped', 3, 'DHL'),
  ('A-10003', 2, 'placed', 0, NULL),
  ('A-10004', 3, 'packed', 1, NULL),
  ('A-10005', 4, 'delivered', 55, 'DPD'),
  ('A-10006', 5, 'shipped', 11, 'DPD'),
  ('A-10007', 6, 'cancelled', 6, NULL),
  ('A-10008', 7, 'return_requested', 20, 'DHL'),
  ('A-10009', 8, 'refunded', 34, 'DHL'),
  ('A-10010', 9, 'delivered', 8, 'DPD'),
  ('A-10011', 10, 'placed', 0, NULL),
  ('A-10012', 11, 'shipped', 2, 'DPD'),
  ('A-10013', 12, 'delivered', 90, 'DHL'),
  ('A-10014', 2, 'delivered', 25, 'DHL'),
  ('A-10015', 3, 'refunded', 48, 'DPD'),
  ('A-10016', 4, 'packed', 1, NULL),
  ('A-10017', 5, 'placed', 1, NULL),
  ('A-10018', 6, 'delivered', 15, 'DHL'),
  ('A-10019', 7, 'shipped', 4, 'DHL'),
  ('A-10020', 8, 'cancelled', 2, NULL),
  ('A-10021', 9, 'placed', 0, NULL),
  ('A-10022', 10, 'delivered', 40, 'DPD'),
  ('A-10023', 11, 'return_requested', 18, 'DPD'),
  ('A-10024', 12, 'packed', 2, NULL),
  ('A-10025', 1, 'delivered', 5, 'DHL');

INSERT INTO lines (number, sku, quantity) VALUES
  ('A-10001', 'L-101', 1), ('A-10001', 'L-105', 2), ('A-10002', 'T-301', 1), ('A-10003', 'K-203', 1),
  ('A-10003', 'K-204', 1), ('A-10004', 'F-402', 2), ('A-10005', 'F-401', 1), ('A-10006', 'K-201', 1),
  ('A-10006', 'K-202', 1), ('A-10007', 'L-103', 1), ('A-10008', 'T-303', 1), ('A-10009', 'L-104', 1),
  ('A-10010', 'K-205', 1), ('A-10010', 'T-304', 2), ('A-10011', 'T-302', 1), ('A-10012', 'F-403', 1),
  ('A-10013', 'L-102', 1), ('A-10014', 'T-305', 4), ('A-10015', 'K-201', 1), ('A-10016', 'L-102', 1),
  ('A-10016', 'L-105', 1), ('A-10017', 'F-405', 1), ('A-10018', 'F-402', 1), ('A-10018', 'F-405', 1),
  ('A-10019', 'K-203', 2), ('A-10020', 'T-301', 1), ('A-10021', 'L-104', 1), ('A-10021', 'L-105', 1),
  ('A-10022', 'T-303', 1), ('A-10023', 'K-204', 2), ('A-10024', 'F-401', 1), ('A-10025', 'K-202', 1),
  ('A-10025', 'T-304', 1);

-- Sent the day after it was placed, delivered three days later, refunded twelve days after that.
UPDATE lines SET cents = (SELECT cents FROM products WHERE products.sku = lines.sku);
UPDATE orders SET
  (email, street, postcode, city) = (SELECT email, street, postcode, city FROM customers WHERE id = customer),
  placed_on = date('now', -ago || ' days');
UPDATE orders SET
  shipped_on = date(placed_on, '+1 day'),
  delivered_on = CASE WHEN status != 'shipped' THEN date(placed_on, '+4 days') END,
  tracking = carrier || '00340' || substr(number, 3) || '7'
  WHERE carrier IS NOT NULL;
UPDATE orders SET closed_on = date(placed_on, '+1 day') WHERE status = 'cancelled';
UPDATE orders SET closed_on = date(placed_on, '+16 days') WHERE status = 'refunded';
INSERT INTO returns VALUES
  ('R-20001', 'LB-7F3A90C2', 'A-10009', '1 × Desk lamp Crane, black', 'does_not_fit', date('now', '-24 days')),
  ('R-20002', 'LB-51D0E6B8', 'A-10015', '1 × Enamel pot, 4 litres', 'damaged', date('now', '-38 days')),
  ('R-20003', 'LB-0C94A7D1', 'A-10008', '1 × Wool throw, grey', 'changed_mind', date('now', '-4 days')),
  ('R-20004', 'LB-E82B63F5', 'A-10023', '2 × Pepper mill, beech', 'does_not_fit', date('now', '-2 days'));
PRAGMA user_version = 1;
