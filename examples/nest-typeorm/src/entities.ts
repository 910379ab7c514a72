import { Column, Entity, PrimaryColumn } from "typeorm";

@Entity("nest_typeorm_stock")
export class Stock {
  @PrimaryColumn({ type: "varchar", length: 32 })
  sku = "";

  @Column({ type: "int" })
  available = 0;
}

@Entity("nest_typeorm_wallet")
export class Wallet {
  @PrimaryColumn({ type: "varchar", length: 32 })
  owner = "";

  @Column({ type: "int" })
  balance = 0;
}
